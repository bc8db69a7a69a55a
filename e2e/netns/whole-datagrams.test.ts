// Whether a packet of some size passes is only seen where the kernel does not cut it up (data-plane.md section 4.5).
import { expect } from 'vitest'
import { netnsTest } from './support.ts'

const test = netnsTest()

test('the sockets of the data plane send a datagram whole or not at all, after a rebind too, when that is asked for', async ({
  lab,
}) => {
  const host = await lab.namespace('host')
  await host.run('ip', 'link', 'set', 'lo', 'mtu', '1500')
  const program = host.startNode(new URL('programs/whole-datagrams.ts', import.meta.url))
  await program.waitFor(/\}$/m, 15_000)
  expect(JSON.parse(program.output.trim().split('\n').at(-1) ?? '')).toEqual({
    'udp4 in pieces 1400': 'arrived',
    'udp4 in pieces 3000': 'arrived',
    'udp4 whole 1400': 'arrived',
    'udp4 whole 3000': 'EMSGSIZE',
    'udp6 in pieces 1400': 'arrived',
    'udp6 in pieces 3000': 'arrived',
    'udp6 whole 1400': 'arrived',
    'udp6 whole 3000': 'EMSGSIZE',
  })
})
