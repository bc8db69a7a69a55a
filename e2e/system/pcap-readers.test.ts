// What the tap writes, as Wireshark and tcpdump read it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeIcmpEcho, encodeUdpPacket, parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { batchOf, createTunPair, tapToPcap } from '@mesh/tun'

const address = (text: string): Uint8Array => parseAddress(text) ?? new Uint8Array(4)
const [A, B, C, D] = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'].map(address) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]
const PACKETS = [
  encodeUdpPacket({ address: A, port: 4_000 }, { address: B, port: 5_000 }, new Uint8Array(100)),
  encodeUdpPacket({ address: C, port: 4_001 }, { address: D, port: 5_001 }, new Uint8Array(200)),
  encodeIcmpEcho(B, A, { kind: 'request', identifier: 1, sequence: 2, data: new Uint8Array(8) }),
]

/** A capture of the packets, one a second from 1,700,000,000 on. */
async function capture(): Promise<Uint8Array> {
  const [near] = createTunPair()
  const stream: Uint8Array[] = []
  let second = 1_700_000_000
  const tapped = tapToPcap(near, {
    wallTime: () => second++ * 1_000 + 0.25,
    write: (bytes) => void stream.push(bytes),
  })
  for (const packet of PACKETS) tapped.write(batchOf([packet]))
  await tapped.close()
  return Buffer.concat(stream)
}

async function read(program: string, ...args: readonly string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-pcap-'))
  try {
    writeFileSync(join(folder, 'tap.pcap'), await capture())
    const said = execFileSync(program, ['-r', join(folder, 'tap.pcap'), ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    return said.trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const missing = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined

test('tcpdump reads the packets of a tap, their times and that their checksums are right', async ({
  skip,
}) => {
  if (missing('tcpdump')) skip('not installed: tcpdump')
  const lines = await read('tcpdump', '-tt', '-n', '-vv')
  const text = lines.join(' ')
  expect(text).toMatch(
    /1700000000\.000250 IP .* 10\.0\.0\.1\.4000 > 10\.0\.0\.2\.5000: \[udp sum ok\] UDP, length 100/,
  )
  expect(text).toMatch(
    /1700000001\.000250 IP6 .* fd00::1\.4001 > fd00::2\.5001: \[udp sum ok\] UDP, length 200/,
  )
  expect(text).toMatch(/10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo request, id 1, seq 2/)
})

test('Wireshark reads them too', async ({ skip }) => {
  if (missing('tshark')) skip('not installed: tshark')
  const fields = ['frame.time_epoch', 'ip.src', 'ipv6.src', 'udp.length', 'icmp.seq'].flatMap((field) => [
    '-e',
    field,
  ])
  const lines = await read('tshark', '-T', 'fields', ...fields)
  expect(lines.map((line) => line.split('\t'))).toEqual([
    ['1700000000.000250000', '10.0.0.1', '', '108', ''],
    ['1700000001.000250000', '', 'fd00::1', '208', ''],
    ['1700000002.000250000', '10.0.0.2', '', '', '2'],
  ])
})
