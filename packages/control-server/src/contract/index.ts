/**
 * What every filling of the Store seat must do, as tests.
 *
 * @packageDocumentation
 */
export { storeContract } from './store-contract.ts'
