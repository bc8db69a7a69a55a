// Chooses bulk crypto for a packet thread: Node's own OpenSSL over the arena of a WebAssembly backend where it can be had,
// WebAssembly otherwise. What is borrowed is not promised to anybody, so it answers known questions before it is trusted.
import { Arena, type OpenSslEvp, type OpenSslRaw, openSslEvp, openSslRaw } from '@mesh/linux/node'
import type { AeadBackend, WasmAead } from '../wasm/index.ts'
import { EvpAead } from './evp-aead.ts'
import { RawAead } from './raw-aead.ts'
import { passesSelfTest } from './self-test.ts'

export { EVP_SCRATCH as OPENSSL_SCRATCH } from './evp-aead.ts'

/** Which backend was chosen, and why none before it. */
export interface ChosenAead {
  /** What seals and opens. */
  readonly backend: AeadBackend
  /** Why faster ones are not used, for a log. */
  readonly missing: readonly string[]
}

/** What there is to borrow. */
export interface Borrowed {
  readonly raw: OpenSslRaw | undefined
  readonly evp: OpenSslEvp | undefined
}

/** Returns what this Node has to lend. */
export function borrowedOpenSsl(): Borrowed {
  return { raw: openSslRaw(), evp: openSslEvp() }
}

/**
 * Returns the fastest backend that works over the arena of `wasm`, which is the last resort.
 *
 * @param scratch - Where `OPENSSL_SCRATCH` bytes of the owner's area lie.
 */
export function chooseAead(wasm: WasmAead, scratch: number, borrowed: Borrowed): ChosenAead {
  const missing: string[] = []
  const native = new Arena(wasm.arena.memory)
  const { raw, evp } = borrowed
  const candidates: [string, AeadBackend | undefined][] = [
    ['openssl-raw', raw && new RawAead(wasm, native, raw)],
    ['openssl-evp', evp && new EvpAead(wasm, native, evp, scratch)],
  ]
  for (const [name, backend] of candidates) {
    if (backend === undefined) missing.push(`${name}: this Node does not show it`)
    else if (passesSelfTest(wasm, backend)) return { backend, missing }
    else missing.push(`${name}: it fails its self-test`)
  }
  return { backend: wasm, missing }
}
