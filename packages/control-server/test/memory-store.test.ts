import { describe, test } from 'vitest'
import { storeContract } from '../src/contract/index.ts'
import { MemoryStore } from '../src/index.ts'

describe('the memory store', () => {
  storeContract(test, () => new MemoryStore())
})
