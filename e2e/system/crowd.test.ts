// Networks so large that their maps come in slices: everybody knows everybody, however the maps are packed.
import { zstdCompressSync } from 'node:zlib'
import { startControl } from '@mesh/control-server/contract'
import type { ControlListener } from '@mesh/control-server/node'
import { afterEach, expect, test } from 'vitest'
import { KnownNodes } from '../swarm/known-nodes.ts'
import { type ControlAddress, keyOf, LightClient } from '../swarm/light-client.ts'
import { Turns } from '../swarm/turns.ts'
import { Unpacker } from '../swarm/unpacked.ts'

/** More than one map in one piece may have. */
const CROWD = 300
const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close()
})

async function serve(): Promise<ControlListener> {
  const control = await startControl()
  open.push(control)
  return control
}

/** Lets a client in that keeps count of the others, by maps packed as it asks. */
async function join(
  control: ControlAddress,
  key: string,
  client: LightClient,
  unpacker: Unpacker,
): Promise<KnownNodes> {
  const known = new KnownNodes()
  client.onMap = (message) => {
    for (const frame of client.compress === '' ? [unpacker.read(message)] : unpacker.unpack(message))
      known.apply(frame)
  }
  open.push(client)
  await client.connect(control)
  await client.register(key)
  client.follow()
  return known
}

test('control 29: three hundred nodes know each other, whether or not their maps are packed', async () => {
  const listener = await serve()
  await listener.admin({ verb: 'users create', name: 'ann' })
  const { key } = await listener.admin({ verb: 'preauthkeys create', user: 'ann', reusable: true })
  const control = await keyOf(listener.url)
  const [turns, unpacker] = [new Turns(16), new Unpacker()]
  const clients = Array.from({ length: CROWD }, (_, i) => new LightClient(`node-${i}`))
  const crowd = await Promise.all(
    clients.map((client) => turns.take(() => join(control, key, client, unpacker))),
  )
  const plain = new LightClient('plain')
  plain.compress = ''
  const late = await Promise.all([
    join(control, key, plain, unpacker),
    join(control, key, new LightClient('late'), unpacker),
  ])
  const all = [...crowd, ...late]
  await expect
    .poll(() => new Set(all.map(({ count }) => count)), { timeout: 20_000 })
    .toEqual(new Set([CROWD + 2]))
  await listener.admin({ verb: 'nodes delete', node: 'node-0' })
  const others = all.slice(1)
  await expect
    .poll(() => new Set(others.map(({ count }) => count)), { timeout: 20_000 })
    .toEqual(new Set([CROWD + 1]))
})

test('a frame that differs by one byte is another frame, and one that is cut off is none', () => {
  const unpacker = new Unpacker()
  const frame = (text: string): Buffer => zstdCompressSync(text)
  const [head, tail] = [frame('{"Peers":[{"ID":17,"StableID":"n17"}'), frame(',{"ID":18,"StableID":"n18"}]}')]
  const numbers = (message: Uint8Array): number[] => unpacker.unpack(message).flatMap(({ named }) => named)
  expect(numbers(Buffer.concat([head, tail]))).toEqual([17, 18])
  expect(numbers(Buffer.concat([head, frame(',{"ID":19,"StableID":"n19"}]}')]))).toEqual([17, 19])
  expect(numbers(head)).toEqual([17])
  expect(() => numbers(Buffer.concat([head, tail.subarray(0, -1)]))).toThrow(RangeError)
  expect(unpacker.unpack(frame('{"PeersRemoved":[3,17]}'))[0]?.removed).toEqual([3, 17])
})
