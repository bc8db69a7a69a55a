// Two relays as one region: packets cross from a client of the one to a client of the other, and again after one of
// them was away.
import { chmodSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freePort } from '@mesh/acme/contract'
import type { RelayRegion } from '@mesh/derp-client'
import { connectDerp, type DerpConnection } from '@mesh/derp-client/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { loadMeshKey, parseSibling } from '../src/mesh.ts'
import { run, scratch, type Serving, startServing } from './support.ts'

const MESH_KEY = 'ab'.repeat(32)

interface Node extends Disposable {
  readonly key: Uint8Array
  readonly connection: DerpConnection
}

function node(region: RelayRegion, preferred = false): Node {
  const privateKey = generatePrivateKey(systemRandom)
  const connection = connectDerp({ region, privateKey, preferred })
  return { key: publicKeyOf(privateKey), connection, [Symbol.dispose]: () => connection.close() }
}

/** Sends until it arrives, as a relay that has just come up has to learn first who is where. */
async function reaches(from: Node, to: Node): Promise<number> {
  const start = performance.now()
  await new Promise<void>((resolve) => {
    const packet = systemRandom(100)
    const timer = setInterval(() => from.connection.send(to.key, packet), 20)
    const stop = to.connection.onPacket((source, bytes) => {
      if (!Buffer.from(bytes).equals(packet)) return
      expect(new Uint8Array(source)).toEqual(from.key)
      clearInterval(timer)
      stop()
      resolve()
    })
  })
  return performance.now() - start
}

test('S16: two meshed relays deliver between their clients both ways, and learn again within 5 s after one was away', async () => {
  using folder = scratch()
  const psk = folder.file('mesh.key')
  writeFileSync(psk, `${MESH_KEY}\n`)
  chmodSync(psk, 0o600)
  const [portA, portB] = [await freePort(), await freePort()]
  const start = (port: number, name: string): Promise<Serving> => {
    // The same list for both: each finds itself in it.
    const mesh = ['--mesh-psk-file', psk, '--mesh-with', `127.0.0.1:${portA},127.0.0.1:${portB}`]
    return startServing('--dev', '--a', `127.0.0.1:${port}`, '--stun=false', '-c', folder.file(name), ...mesh)
  }
  await using a = await start(portA, 'a.json')
  const b = await start(portB, 'b.json')
  using alice = node(a.region, true)
  using bob = node(b.region)
  await reaches(alice, bob)
  await reaches(bob, alice)
  const gone = new Promise<unknown>((resolve) => {
    alice.connection.onPeerGone((key, reason) => resolve([key, reason]))
  })
  await b.end('SIGKILL')
  expect(await gone).toEqual([bob.key, 0])
  await using _again = await start(portB, 'b.json')
  expect(await reaches(alice, bob)).toBeLessThan(5_000)
  await reaches(bob, alice)
})

test('threat 2: a mesh key file that is missing, ragged or zero is answered with one sentence that does not quote it', async () => {
  using folder = scratch()
  const file = folder.file('mesh.key')
  for (const contents of [undefined, 'secret', MESH_KEY.toUpperCase(), '0'.repeat(64), `${MESH_KEY}00`]) {
    if (contents !== undefined) writeFileSync(file, contents)
    expect(() => loadMeshKey(file)).toThrow(/mesh key file/)
    expect(() => loadMeshKey(file)).not.toThrow(/secret|abab|ABAB|0000/)
  }
  const { code, stderr } = await run('--dev', '--mesh-psk-file', file)
  expect([code, stderr.trim().split('\n').length]).toEqual([1, 1])
  expect((await run('--dev', '--mesh-with', 'a.example')).code).toBe(2)
})

test('siblings are written as derper takes them, with a pin if need be', () => {
  const pin = `sha256-raw:${'0f'.repeat(32)}`
  expect(parseSibling('b.example')).toEqual({ host: 'b.example' })
  expect(parseSibling('b.example:8443/10.0.0.2')).toEqual({
    host: 'b.example',
    port: 8443,
    dialHost: '10.0.0.2',
  })
  expect(parseSibling(`[2001:db8::2]:443#${pin}`)).toEqual({ host: '2001:db8::2', port: 443, pin })
  for (const text of ['', 'a b', 'b:0', 'b:70000', '[b]', 'b#sha256-raw:00', 'b/'])
    expect(parseSibling(text)).toBeUndefined()
})

test('a rate file limits clients, is read again on SIGHUP, and nonsense in it is one sentence', async () => {
  using folder = scratch()
  const file = folder.file('rate.json')
  writeFileSync(file, '{"PerClientRateLimitBytesPerSec": 1e9}')
  const pages = ['--metrics-listen', '127.0.0.1:0']
  await using relay = await startServing(
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--rate-config',
    file,
    ...pages,
  )
  using alice = node(relay.region)
  using bob = node(relay.region)
  await reaches(alice, bob)
  writeFileSync(file, '{"PerClientRateLimitBytesPerSec": 1}')
  await relay.tell('SIGHUP', /rate limit again\n$/)
  // The burst is still allowed; then the sender is slowed down for a very long time.
  for (let i = 0; i < 3; i += 1) alice.connection.send(bob.key, new Uint8Array(60_000))
  const stats = async (): Promise<{ pauses: number }> =>
    (await (await fetch(`${relay.pages}/debug/vars`)).json()) as { pauses: number }
  while ((await stats()).pauses === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  writeFileSync(file, '{"PerClientRateLimitBytesPerSec": -1}')
  await relay.tell('SIGHUP', /must be a number of bytes\.\n$/)
  const broken = await run('--dev', '--a', '127.0.0.1:0', '--rate-config', file)
  expect([broken.code, broken.stderr]).toEqual([
    1,
    `mesh-relay: PerClientRateLimitBytesPerSec in the rate file ${file} must be a number of bytes.\n`,
  ])
})
