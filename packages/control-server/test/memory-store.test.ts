import { describe, test } from 'vitest'
import { storeContract } from '../src/contract/index.ts'
import { MemoryStore } from '../src/index.ts'

describe('the memory store', () => {
  storeContract(test, () => {
    const store = new MemoryStore()
    return Promise.resolve({ store, again: () => Promise.resolve(store) })
  })
})
