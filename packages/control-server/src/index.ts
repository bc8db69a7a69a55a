/**
 * The coordinator: users, nodes, addresses, policy, maps, kept in SQLite.
 *
 * @packageDocumentation
 */
export {}
