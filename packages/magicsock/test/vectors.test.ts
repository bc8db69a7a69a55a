// The disco packets of data-plane.md appendix A.3, out of and into the whole machine.
import { publicKeyOf } from '@mesh/keys'
import { drain } from '@mesh/sansio'
import { parseEndpoint } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { MagicSock } from '../src/index.ts'

const DISCO_A = new Uint8Array(32).fill(0x55)
const DISCO_B = new Uint8Array(32).fill(0x66)
const NODE_A = publicKeyOf(new Uint8Array(32).fill(0x11))
const NODE_B = publicKeyOf(new Uint8Array(32).fill(0x22))
const FROM = parseEndpoint('203.0.113.7:41641')!

const PING = hex(`
  5453f09f92ac38ab664bd86f77d7e66bdd9ae0792913a94fd8b33a1260027e4b46c1f4884c6700010203040506070809
  0a0b0c0d0e0f1011121314151617c2aee56b73676ea04c8df0f21a20b76671167a120f6557f295bdce00c88298b6d4c8
  605f1b51fdc1dc84c45f95b4f92c4a43a996f990b11efc5ea8d75da6`)
const PONG = hex(`
  5453f09f92ac219e4d800da968d2a5fcb009c784f4746c7138edb9ee4844b739e830b05cf42400010203040506070809
  0a0b0c0d0e0f101112131415161764b0e1124a1a71ba573f7b41338c3c0772167a120f6557f295bdce00c882e3f84453
  de20e51539a4815b0c22843db8dd`)

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** A machine whose random bytes count from zero, as those of the vectors do. */
function counting(discoPrivateKey: Uint8Array, nodeKey: Uint8Array): MagicSock {
  return new MagicSock({
    nodeKey,
    discoPrivateKey,
    underlay: { sendDatagram: () => undefined, sendRelay: () => undefined },
    random: (length) => Uint8Array.from({ length }, (_, i) => i),
    now: 0,
  })
}

function sentBy(sock: MagicSock): Uint8Array[] {
  return drain(sock).flatMap((output) => (output.kind === 'datagram' ? [output.bytes] : []))
}

test('D1: the ping of appendix A.3 is what goes out', () => {
  const a = counting(DISCO_A, NODE_A)
  const discoKey = publicKeyOf(DISCO_B)
  a.setPeers([{ id: 1, nodeKey: NODE_B, discoKey, endpoints: [FROM], homeRelay: 0 }], 0)
  a.send(1, new Uint8Array(32), 0)
  expect(sentBy(a)).toEqual([PING])
})

test('D1, D5: the ping of appendix A.3 is answered by its pong, which opens the path', () => {
  const b = counting(DISCO_B, NODE_B)
  b.setPeers([{ id: 1, nodeKey: NODE_A, discoKey: publicKeyOf(DISCO_A), endpoints: [], homeRelay: 0 }], 0)
  expect(b.handleDatagram(PING, FROM, 0)).toBe('consumed')
  expect(sentBy(b)).toEqual([PONG])

  const a = counting(DISCO_A, NODE_A)
  a.setPeers([{ id: 1, nodeKey: NODE_B, discoKey: publicKeyOf(DISCO_B), endpoints: [FROM], homeRelay: 0 }], 0)
  a.send(1, new Uint8Array(32), 0)
  a.handleDatagram(PONG, FROM, 20)
  expect(a.status(1, 20)).toMatchObject({ endpoint: FROM, latency: 20 })
})
