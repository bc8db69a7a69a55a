import { expect, test } from 'vitest'
import { networkResolver } from './support.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
const question = '06 6c6170746f70 08 7461696c31323334 02 7473 03 6e6574 00 0001 0001'

test('an answer is the query’s id and question, flags QR AA RD RA, one record of 5 seconds with its name in full', () => {
  const outcome = networkResolver().handleQuery(hex(`beef 0100 0001 0000 0000 0000 ${question}`))
  const name = question.slice(0, question.lastIndexOf('00 0001 0001') + 2)
  expect(outcome.kind === 'answer' && Buffer.from(outcome.message).toString('hex')).toBe(
    Buffer.from(
      hex(`beef 8580 0001 0001 0000 0000 ${question} ${name} 0001 0001 00000005 0004 64400002`),
    ).toString('hex'),
  )
})

test('without recursion desired none is offered', () => {
  const outcome = networkResolver().handleQuery(hex(`beef 0000 0001 0000 0000 0000 ${question}`))
  expect(outcome.kind === 'answer' && outcome.message.subarray(2, 4)).toEqual(hex('8400'))
})
