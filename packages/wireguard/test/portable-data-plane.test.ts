import { describe, expect, test } from 'vitest'
import { dataPlaneContract } from '../src/contract/index.ts'
import { PortableDataPlane } from '../src/index.ts'

describe('PortableDataPlane', () => {
  test.each(dataPlaneContract)('$name', (clause) => {
    expect(() => clause.run((outputs) => new PortableDataPlane(outputs))).not.toThrow()
  })
})
