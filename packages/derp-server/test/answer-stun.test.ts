// STUN as the relay answers it, against the vectors of data-plane.md, appendix A.2.
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { parseEndpoint } from '@mesh/wire/ip'
import { answerStun } from '../src/index.ts'

const REQUEST = '000100142112a442000102030405060708090a0b802200087461696c6e6f6465802800048aabad90'
const TO_IPV4 = '0101000c2112a442000102030405060708090a0b00200008000183bbea12d545'
const TO_IPV6 = '010100182112a442000102030405060708090a0b00200014000283bb0113a9fa000102030405060708090a0a'

function ask(request: string, from: string): string | undefined {
  const source = parseEndpoint(from)
  const answer = source && answerStun(Buffer.from(request, 'hex'), source)
  return answer && Buffer.from(answer).toString('hex')
}

test('S18: the request of appendix A.2 is answered as in appendix A.2', () => {
  expect(ask(REQUEST, '203.0.113.7:41641')).toBe(TO_IPV4)
  expect(ask(REQUEST, '[2001:db8::1]:41641')).toBe(TO_IPV6)
})

test('S18: an IPv4 client seen through an IPv6 socket is answered as IPv4', () => {
  expect(ask(REQUEST, '[::ffff:203.0.113.7]:41641')).toBe(TO_IPV4)
})

test('S18: a request without SOFTWARE, or with a wrong fingerprint, is ignored', () => {
  expect(ask(`${REQUEST.slice(0, -2)}91`, '203.0.113.7:41641')).toBeUndefined()
  expect(ask('000100002112a442000102030405060708090a0b', '203.0.113.7:41641')).toBeUndefined()
})

/** A binding request with these attributes, whose FINGERPRINT, where it has one, is right. */
function made(...attributes: ('software' | 'other software' | 'fingerprint')[]): string {
  const bodies = { software: '802200087461696c6e6f6465', 'other software': '802200086f746865726e6f64' }
  const length = attributes.reduce((sum, name) => sum + (name === 'fingerprint' ? 8 : 12), 0)
  let hex = `0001${length.toString(16).padStart(4, '0')}2112a442000102030405060708090a0b`
  for (const name of attributes) {
    if (name !== 'fingerprint') hex += bodies[name]
    else
      hex += `80280004${((crc32(Buffer.from(hex, 'hex')) ^ 0x5354554e) >>> 0).toString(16).padStart(8, '0')}`
  }
  return hex
}

test.each(['203.0.113.7:41641', '[2001:db8::1]:41641'])(
  'S18: from %s, only a request with the right SOFTWARE and then the FINGERPRINT, as the last, is answered',
  (from) => {
    expect(made('software', 'fingerprint')).toBe(REQUEST)
    expect(ask(made('software', 'fingerprint'), from)).toBeDefined()
    expect(ask(made('fingerprint'), from)).toBeUndefined()
    expect(ask(made('other software', 'fingerprint'), from)).toBeUndefined()
    expect(ask(made('software'), from)).toBeUndefined()
    expect(ask(made('fingerprint', 'software'), from)).toBeUndefined()
    // Answers, and anything that is not a question, would be a way to make two relays talk for ever.
    for (const answer of [TO_IPV4, TO_IPV6]) expect(ask(answer, from)).toBeUndefined()
  },
)
