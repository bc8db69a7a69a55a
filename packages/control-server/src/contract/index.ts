/**
 * The tests that every filling of the Store seat passes, and a PostgreSQL server to run them on; those of the DnsProvider seat;
 * and a control server for the tests of whatever talks to one.
 *
 * @packageDocumentation
 */
export { dnsProviderContract } from './dns-provider-contract.ts'
export type { DnsUnderTest } from './dns-provider-contract.ts'
export { startPostgres } from './postgres-server.ts'
export type { PostgresServer } from './postgres-server.ts'
export { startControl } from './start-control.ts'
export { storeContract } from './store-contract.ts'
export type { StoreUnderTest } from './store-contract.ts'
