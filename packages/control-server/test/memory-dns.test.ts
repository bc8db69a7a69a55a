import { test } from 'vitest'
import { dnsProviderContract } from '../src/contract/index.ts'
import { MemoryDns } from '../src/index.ts'

dnsProviderContract(test, () => {
  const provider = new MemoryDns()
  return { provider, textsAt: (name) => provider.textsAt(name) }
})
