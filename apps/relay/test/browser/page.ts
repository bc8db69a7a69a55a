// What the page does in a browser: two clients meet at a relay, and what they saw goes back to the test.
import { connectDerp, type DerpConnection, type WebDerpConnectionOptions } from '@mesh/derp-client/browser'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

/** Resolves when an event of this sort comes. */
function event(connection: DerpConnection, sort: string): Promise<unknown> {
  return new Promise((resolve) => {
    const stop = connection.onEvent((each) => {
      if (each.event !== sort) return
      stop()
      resolve(each)
    })
  })
}

async function meet(options: object): Promise<object> {
  const keys = [generatePrivateKey(random), generatePrivateKey(random)] as const
  const connect = (privateKey: Uint8Array): DerpConnection =>
    connectDerp({ ...options, privateKey } as WebDerpConnectionOptions)
  const [alice, bob] = [connect(keys[0]), connect(keys[1])]
  await Promise.all([event(alice, 'connected'), event(bob, 'connected')])
  const received: number[] = []
  for (const length of [1, 1_280, 65_536]) {
    const packet = new Uint8Array(length).fill(length % 251)
    const arrived = new Promise<void>((resolve) => {
      const stop = bob.onPacket((source, bytes) => {
        stop()
        const same =
          bytes.every((byte, i) => byte === packet[i]) &&
          source.every((byte, i) => byte === publicKeyOf(keys[0])[i])
        received.push(same ? bytes.length : -1)
        resolve()
      })
    })
    alice.send(publicKeyOf(keys[1]), packet)
    await arrived
  }
  const pong = event(alice, 'pong')
  alice.ping()
  await pong
  const gone = event(bob, 'peer-gone')
  alice.close()
  const { reason } = (await gone) as { reason: number }
  bob.close()
  return { received, reason }
}

const report = (body: object): Promise<Response> =>
  fetch('/report', { method: 'POST', body: JSON.stringify(body) })

try {
  const tasks = (await (await fetch('/tasks')).json()) as object[]
  const results: object[] = []
  for (const task of tasks) results.push(await meet(task))
  await report({ agent: navigator.userAgent, results })
} catch (error) {
  await report({ failure: String(error) })
}
