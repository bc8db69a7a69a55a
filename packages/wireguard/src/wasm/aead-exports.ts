// The module's functions, and how they are brought up over an arena. Addresses are offsets in the arena's memory, bytes
// are counted as unsigned 32-bit numbers.
import { AEAD_MODULE } from './aead-module.ts'
import type { AeadArena } from './arena.ts'
import { decodeBase64 } from './base64.ts'
import { webAssembly } from './web-assembly.ts'

/** What the module exports; assembly/index.as and what it names say more of each. */
export interface AeadExports {
  readonly configure: (
    slots: number,
    slotCount: number,
    packets: number,
    packetsEnd: number,
    columns: number,
    batch: number,
  ) => void
  readonly sealBatch: (table: number, count: number) => number
  readonly openBatch: (table: number, count: number) => number
  readonly sealOne: (
    text: number,
    length: number,
    key: number,
    nonce: number,
    ad: number,
    adLength: number,
  ) => void
  readonly openOne: (
    text: number,
    length: number,
    key: number,
    nonce: number,
    ad: number,
    adLength: number,
  ) => number
  readonly forget: () => void
  readonly lend: (table: number, count: number, tagged: number, worth: number) => number
  readonly takeSealed: (table: number, count: number) => void
  readonly takeOpened: (table: number, count: number) => number
  readonly wipeLoan: (count: number) => void
  readonly cutPiece: (index: number, into: number) => number
  readonly cutPieces: (first: number, count: number, into: number, table: number) => number
  readonly joinRun: (table: number, first: number, count: number, peer: number) => number
  readonly beginFlow: (out: number, at: number, length: number, peer: number) => void
  readonly finishFlows: () => void
  readonly sumWords: (at: number, length: number) => number
  readonly checksum: (at: number, length: number, initial: number) => number
  readonly pseudoHeaderSum: (addresses: number, bytes: number, protocol: number, length: number) => number
  readonly keyStream: (into: number, key: number, nonce: number, block: number, short: number) => void
  readonly authenticate: (into: number, message: number, length: number, key: number) => void
  readonly authenticateBeside: (
    into: number,
    message: number,
    blocks: number,
    key: number,
    short: number,
  ) => void
}

let compiled: object | undefined

/**
 * Brings the module up over an arena. It throws what the runtime throws where there is no WebAssembly, or one without
 * vectors, or a page's policy forbids it.
 */
export function instantiate(arena: AeadArena): AeadExports {
  const api = webAssembly()
  if (api === undefined) throw new TypeError('this runtime has no WebAssembly')
  compiled ??= new api.Module(decodeBase64(AEAD_MODULE))
  const instance = new api.Instance(compiled, { env: { memory: arena.memory } })
  const module = instance.exports as AeadExports
  const { keys, packets, bytes, columns, table } = arena
  module.configure(keys.address, keys.capacity, packets, bytes.length, columns, table.capacity)
  return module
}
