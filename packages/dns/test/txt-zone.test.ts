import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TXT_TTL, TxtZone } from '../src/index.ts'
import { decoded, type Decoded, query } from './support.ts'

const TEXTS = new Map([
  ['_acme-challenge.box.mesh.example', ['one', 'two']],
  ['many.mesh.example', Array.from({ length: 16 }, (_, i) => `${i}`.padStart(60, 'x'))],
])

const zone = new TxtZone({
  origin: 'mesh.example',
  nameservers: ['control.example', 'ns2.example'],
  texts: (name) => TEXTS.get(name) ?? [],
})

function ask(name: string, type: string, transport: 'udp' | 'tcp' = 'udp', more: object = {}): Decoded {
  const answer = zone.handleQuery(query(name, type, more), { transport })
  if (!answer) throw new Error('no answer')
  return decoded(answer)
}

test('gives the texts of a name, however it is written, with authority and for a moment', () => {
  const answer = ask('_acme-challenge.BOX.mesh.Example', 'TXT')
  expect(answer).toMatchObject({ rcode: 'NOERROR', flag_aa: true, flag_ra: false, flag_rd: true })
  expect(answer.questions[0]?.name).toBe('_acme-challenge.BOX.mesh.Example')
  expect(answer.answers.map(({ ttl, data }) => [ttl, String(data)])).toEqual([
    [TXT_TTL, 'one'],
    [TXT_TTL, 'two'],
  ])
})

test('a name without a record is there but empty, so that nobody learns which machines there are', () => {
  for (const [name, type] of [
    ['box.mesh.example', 'CAA'],
    ['box.mesh.example', 'A'],
    ['nobody.mesh.example', 'TXT'],
    ['mesh.example', 'MX'],
  ] as const) {
    const { rcode, answers, authorities } = ask(name, type)
    expect([rcode, answers, authorities.map(({ type: kind, ttl }) => [kind, ttl])]).toEqual([
      'NOERROR',
      [],
      [['SOA', TXT_TTL]],
    ])
  }
})

test('names its servers and its authority, and refuses other domains and transfers', () => {
  expect(ask('mesh.example', 'NS').answers.map(({ data }) => data)).toEqual([
    'control.example',
    'ns2.example',
  ])
  expect(ask('mesh.example', 'SOA').answers[0]?.data).toMatchObject({
    mname: 'control.example',
    rname: 'hostmaster.mesh.example',
  })
  for (const [name, type] of [
    ['example', 'NS'],
    ['notmesh.example', 'TXT'],
    ['mesh.example', 'AXFR'],
  ] as const)
    expect(ask(name, type)).toMatchObject({ rcode: 'REFUSED', flag_aa: false })
})

test('threat 26: an answer too long for UDP comes without its records, and whole by TCP or with room', () => {
  const short = ask('many.mesh.example', 'TXT')
  expect([short.flag_tc, short.answers]).toEqual([true, []])
  expect(ask('many.mesh.example', 'TXT', 'tcp').answers).toHaveLength(16)
  const additionals = [{ type: 'OPT', name: '.', udpPayloadSize: 4096, options: [] }]
  expect(ask('many.mesh.example', 'TXT', 'udp', { additionals })).toMatchObject({ flag_tc: false })
})

test('no bytes make it throw, and an answer is never answered', () => {
  const answer = zone.handleQuery(query('mesh.example', 'SOA')) as Uint8Array
  expect(zone.handleQuery(answer)).toBeUndefined()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(100), (bytes, at) => {
      zone.handleQuery(bytes)
      const bent = query('_acme-challenge.box.mesh.example', 'TXT').slice()
      bent.set(bytes.subarray(0, Math.max(0, bent.length - at)), Math.min(at, bent.length))
      zone.handleQuery(bent)
    }),
  )
})
