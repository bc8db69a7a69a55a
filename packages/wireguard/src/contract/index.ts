/**
 * What every filling of the data-plane seat must do, tried from outside: the contract plays the peer, with keys of its
 * own and `nobleCrypto`.
 *
 * @packageDocumentation
 */
import type { ContractCase } from './bench.ts'
import { receivingClauses } from './receiving.ts'
import { sendingClauses } from './sending.ts'

export type { ContractCase } from './bench.ts'

/** The clauses. Run each: `for (const c of dataPlaneContract) test(c.name, () => c.run(make))`. */
export const dataPlaneContract: readonly ContractCase[] = [...sendingClauses, ...receivingClauses]
