import { describe, expect, test } from 'vitest'
import { cryptoContract } from '../src/contract/index.ts'
import { nobleCrypto } from '../src/index.ts'
import { wycheproofTests } from './wycheproof.ts'

describe('nobleCrypto', () => {
  test.each(cryptoContract)('$name', (clause) => {
    expect(() => clause.run(nobleCrypto)).not.toThrow()
  })

  wycheproofTests(nobleCrypto)
})
