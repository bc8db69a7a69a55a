/**
 * A whole mesh node on the system's sockets, with its state in a file.
 *
 * @packageDocumentation
 */
export { openFileStore, replaceFile } from './file-store.ts'
export { MeshNode, type NodeOptions } from './mesh-node.ts'
