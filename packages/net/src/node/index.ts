/**
 * A whole mesh node on the system's sockets, with its state in a file.
 *
 * @packageDocumentation
 */
export { DATA_PLANES, type DataPlaneChoice, whyNoThread } from './data-plane.ts'
export { endLogin, type EndLoginOptions } from './end-login.ts'
export { openFileStore, replaceFile } from './file-store.ts'
export { mapFile } from './map-file.ts'
export { MeshNode } from './mesh-node.ts'
export { MeshStream } from './mesh-stream.ts'
export type { NodeLog, NodeOptions } from './node-options.ts'
