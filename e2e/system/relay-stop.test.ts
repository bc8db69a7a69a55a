// A relay that is told to end while a client is too slow: what it holds for that client still arrives.
import { expect, test } from 'vitest'
import type { RelayRegion } from '@mesh/derp-client'
import { connectDerp } from '@mesh/derp-client/node'
import { generatePrivateKey, parseHexKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Started } from '../netns/lab.ts'

const RELAY = new URL('../../apps/relay/src/mesh-relay.ts', import.meta.url)
const CLIENT = new URL('../interop/programs/derp-node.ts', import.meta.url)

function start(file: URL, ...args: string[]): Started & { exit: Promise<unknown[]> } {
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, file.pathname, ...args])
  return Object.assign(new Started(child, file.pathname), { exit: once(child, 'exit') })
}

test('S20: SIGTERM lets nobody in, sends what is held to a slow client, and ends with exit code 0', async () => {
  const relay = start(
    RELAY,
    '--dev',
    '--a=127.0.0.1:0',
    '--stun=false',
    '--metrics-listen=127.0.0.1:0',
    '--tcp-write-timeout=0',
    '--drain-time=20s',
  )
  const [, pages = ''] = await relay.waitFor(/counters at (http:.+)\/metrics/)
  const [, json = ''] = await relay.waitFor(/DERP map region (.*)\n/)
  const region = JSON.parse(json) as RelayRegion
  const slow = start(CLIENT, JSON.stringify({ region }))
  const sender = connectDerp({ region, privateKey: generatePrivateKey(systemRandom) })
  try {
    const [, hex = ''] = await slow.waitFor(/^key (\w+)$/m)
    await slow.waitFor(/^connected$/m)
    process.kill(slow.pid, 'SIGSTOP')
    const key = parseHexKey(hex)!
    const port = region.Nodes?.[0]?.DERPPort
    const dropped = async (): Promise<number> => {
      const vars = (await (await fetch(`${pages}/debug/vars`)).json()) as {
        dropped: { queue_head: number }
      }
      return vars.dropped.queue_head
    }
    // Once something was dropped, the last packets sent are those that wait.
    for (let i = 0; (await dropped()) === 0; i += 1) {
      for (let j = 0; j < 40; j += 1) sender.send(key, new Uint8Array(30_000).fill(97))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const before = slow.output.length
    process.kill(relay.pid, 'SIGTERM')
    await expect.poll(() => fetch(`http://127.0.0.1:${port}/`).then(String, () => 'gone')).toBe('gone')
    expect(relay.ended).toBe(false)
    process.kill(slow.pid, 'SIGCONT')
    expect(await relay.exit).toEqual([0, null])
    await slow.waitFor(/^disconnected/m)
    const packets = slow.output.slice(before).match(/^packet \w+ a{30000}$/gm) ?? []
    // The relay's own queue alone has 32.
    expect(packets.length).toBeGreaterThan(32)
  } finally {
    sender.close()
    process.kill(slow.pid, 'SIGCONT')
    await Promise.all([slow.stop(), relay.stop()])
  }
})
