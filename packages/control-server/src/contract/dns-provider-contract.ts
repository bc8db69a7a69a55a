// What every filling of the DnsProvider seat passes.

import assert from 'node:assert/strict'
import type { DnsProvider } from '../certificates.ts'

/** A provider, and a way to look at what it brought into the DNS. */
export interface DnsUnderTest {
  /** The provider. */
  readonly provider: DnsProvider
  /** Returns the texts at a name, as authorities would see them. */
  readonly textsAt: (name: string) => Promise<readonly string[]> | readonly string[]
}

const NAME = '_acme-challenge.box.mesh.example'
const OTHER = '_acme-challenge.other.mesh.example'
const [ONE, TWO] = ['A', 'b'].map((letter) => letter.repeat(43)) as [string, string]

/**
 * Declares the tests.
 *
 * @param test - Declares one test: `test` of the runner in use.
 * @param open - Returns a provider of an empty DNS.
 */
export function dnsProviderContract(
  test: (name: string, body: () => Promise<void>) => void,
  open: () => Promise<DnsUnderTest> | DnsUnderTest,
): void {
  test('a text is there once it is published, beside another, at its own name', async () => {
    const { provider, textsAt } = await open()
    await provider.publish({ name: NAME, value: ONE })
    assert.deepEqual(await textsAt(NAME), [ONE])
    await provider.publish({ name: NAME, value: TWO })
    assert.deepEqual((await textsAt(NAME)).toSorted(), [ONE, TWO])
    assert.deepEqual(await textsAt(OTHER), [])
  })

  test('a text that is withdrawn is gone, and no other', async () => {
    const { provider, textsAt } = await open()
    for (const value of [ONE, TWO]) await provider.publish({ name: NAME, value })
    await provider.publish({ name: OTHER, value: ONE })
    await provider.withdraw({ name: NAME, value: ONE })
    assert.deepEqual(await textsAt(NAME), [TWO])
    assert.deepEqual(await textsAt(OTHER), [ONE])
  })

  test('what is done already is no failure', async () => {
    const { provider, textsAt } = await open()
    await provider.publish({ name: NAME, value: ONE })
    await provider.publish({ name: NAME, value: ONE })
    assert.deepEqual(await textsAt(NAME), [ONE])
    await provider.withdraw({ name: NAME, value: ONE })
    await provider.withdraw({ name: NAME, value: ONE })
    assert.deepEqual(await textsAt(NAME), [])
  })

  test('many at once are all there', async () => {
    const { provider, textsAt } = await open()
    const values = Array.from({ length: 12 }, (_, i) => String(i).padEnd(43, '-'))
    await Promise.all(values.map((value) => provider.publish({ name: NAME, value })))
    assert.deepEqual((await textsAt(NAME)).toSorted(), values.toSorted())
  })
}
