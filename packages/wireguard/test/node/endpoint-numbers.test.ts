import { expect, test } from 'vitest'
import { EndpointNumbers } from '../../src/node/endpoint-numbers.ts'

const at = (host: number) => ({ address: Uint8Array.of(192, 0, host >> 8, host & 255), port: 7 })

test('an endpoint keeps its number and stays one object while it is remembered', () => {
  const numbers = new EndpointNumbers()
  const first = at(1)
  const number = numbers.numberOf(first)
  for (let host = 2; host <= 4_096; host += 1) numbers.numberOf(at(host))
  expect(numbers.numberOf(at(1))).toBe(number)
  expect(numbers.endpointOf(number)).toBe(first)
  expect([numbers.endpointOf(-1), numbers.endpointOf(4_096)]).toEqual([undefined, undefined])
})

test('threat 18: a number that is too old is nobody’s, and never that of somebody who came later', () => {
  const numbers = new EndpointNumbers()
  const old = numbers.numberOf(at(0))
  for (let host = 1; host <= 20_000; host += 1) {
    const number = numbers.numberOf(at(host))
    expect(numbers.endpointOf(number)).toEqual(at(host))
    if (host >= 4_096 && numbers.endpointOf(old) !== undefined) throw new Error(`${host} has an old number`)
  }
  expect(numbers.numberOf(at(0))).not.toBe(old)
})
