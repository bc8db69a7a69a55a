// Bulk crypto, microseconds a packet: our WebAssembly against noble and node:crypto, sealing and opening 64 packets of the
// two lengths that a tunnel has. Ours in batches and in place, which is what the ratio is of, and singly with two copies.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { nobleCrypto } from '@mesh/noise'
import { loadWasmAead, loadWasmCrypto } from '@mesh/wireguard/wasm'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { compareRounds, median, timesAsLong } from './rounds.ts'

const LENGTHS: readonly number[] = [1280, 1420]
const BATCH = 64
const STRIDE = 2048
const TAG_LENGTH = 16
const key: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1)

/** WireGuard's nonces of a batch. */
const nonces: readonly Uint8Array[] = Array.from({ length: BATCH }, (_, i) =>
  new Uint8Array(12).fill(i, 4, 5),
)

/** A way to seal or open a whole batch; returns how many packets that was. */
type Run = () => number
interface Implementation {
  readonly seal: (length: number) => Run
  readonly open: (length: number) => Run
}

/** `pnpm bench aead`. */
export const aeadBench: Bench = {
  summary: 'seals and opens packets: our WebAssembly against noble and node:crypto, µs a packet',
  run: (options) => Promise.resolve(runAead(options)),
}

function runAead({ say }: BenchOptions): Omit<BenchResult, 'name' | 'machine'> {
  const implementations: Readonly<Record<string, Implementation>> = {
    wasm: wasm(),
    wasmSingly: wasmSingly(),
    noble: noble(),
    node: node(),
  }
  const figures: Record<string, Record<string, number>> = {}
  const ratios: Record<string, Record<string, number>> = {}
  for (const length of LENGTHS) {
    for (const direction of ['seal', 'open'] as const) {
      const contestants = Object.entries(implementations).map(([name, implementation]) => ({
        name,
        run: implementation[direction](length),
      }))
      const rounds = compareRounds(contestants, { rounds: 9, sliceMs: 60, warmUpMs: 200 })
      const ours = rounds.get('wasm') ?? []
      for (const [name, values] of rounds) {
        const what = `${direction}${length}`
        ;(figures[name] ??= {})[what] = round(median(values))
        if (!name.startsWith('wasm')) (ratios[name] ??= {})[what] = round(timesAsLong(values, ours))
      }
      const all = [...rounds].map(([name, values]) => `${name} ${median(values).toFixed(2)}`)
      say(`${direction} ${length} B: ${all.join(' · ')} µs`)
    }
  }
  for (const [name, values] of Object.entries(ratios)) {
    const times = Object.values(values).map((value) => value.toFixed(1))
    say(`${name} takes ${times.join(', ')} times as long as wasm`)
  }
  const { wasm: batches = {}, wasmSingly: singly = {}, ...peer } = figures
  return { ours: { ...batches, ...flatten({ singly }) }, peer: flatten(peer), ratio: flatten(ratios) }
}

/** `{ noble: { seal1280: 1 } }` becomes `{ nobleSeal1280: 1 }`, so that a figure is one number. */
function flatten(groups: Readonly<Record<string, Readonly<Record<string, number>>>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(groups).flatMap(([group, values]) =>
      Object.entries(values).map(([what, value]) => [
        group + what.charAt(0).toUpperCase() + what.slice(1),
        value,
      ]),
    ),
  )
}

function wasm(): Implementation {
  const load = loadWasmAead({ batch: BATCH, keys: 1 })
  if (load.kind === 'missing') throw new Error(`no WebAssembly backend: ${load.reason}`)
  const { aead } = load
  const { table, packets, keys, bytes } = aead.arena
  const slot = keys.put(key) ?? 0
  const fill = (length: number): void => {
    for (let i = 0; i < BATCH; i += 1) table.set(i, packets + i * STRIDE, length, 0, i, slot)
  }
  return {
    seal: (length) => () => {
      fill(length)
      return aead.sealBatch(table, BATCH)
    },
    open: (length) => {
      fill(length)
      aead.sealBatch(table, BATCH)
      const sealed = bytes.slice(packets, packets + BATCH * STRIDE)
      return () => {
        bytes.set(sealed, packets)
        fill(length + TAG_LENGTH)
        return checkAll(aead.openBatch(table, BATCH))
      }
    },
  }
}

function wasmSingly(): Implementation {
  const load = loadWasmCrypto(nobleCrypto)
  if (load.kind === 'missing') throw new Error(`no WebAssembly crypto: ${load.reason}`)
  const { crypto } = load
  const nothing = new Uint8Array(0)
  const texts = batchOf((length) => new Uint8Array(length))
  return {
    seal: (length) => {
      const batch = texts(length)
      const into = new Uint8Array(length + TAG_LENGTH)
      return () => {
        for (const [i, text] of batch.entries()) crypto.seal(key, nonceOf(i), nothing, text, into)
        return BATCH
      }
    },
    open: (length) => {
      const batch = texts(length).map((text, i) => crypto.seal(key, nonceOf(i), nothing, text))
      const into = new Uint8Array(length)
      return () => {
        for (const [i, text] of batch.entries()) crypto.open(key, nonceOf(i), nothing, text, into)
        return BATCH
      }
    },
  }
}

function noble(): Implementation {
  const texts = batchOf((length) => new Uint8Array(length))
  return {
    seal: (length) => {
      const batch = texts(length)
      const into = new Uint8Array(length + TAG_LENGTH)
      return () => {
        for (const [i, text] of batch.entries()) chacha20poly1305(key, nonceOf(i)).encrypt(text, into)
        return BATCH
      }
    },
    open: (length) => {
      const batch = texts(length).map((text, i) => chacha20poly1305(key, nonceOf(i)).encrypt(text))
      const into = new Uint8Array(length)
      return () => {
        for (const [i, text] of batch.entries()) chacha20poly1305(key, nonceOf(i)).decrypt(text, into)
        return BATCH
      }
    },
  }
}

function node(): Implementation {
  const options = { authTagLength: TAG_LENGTH }
  const texts = batchOf((length) => new Uint8Array(length))
  const sealOne = (text: Uint8Array, i: number): Uint8Array[] => {
    const cipher = createCipheriv('chacha20-poly1305', key, nonceOf(i), options)
    const sealed = cipher.update(text)
    cipher.final()
    return [sealed, cipher.getAuthTag()]
  }
  return {
    seal: (length) => {
      const batch = texts(length)
      return () => {
        for (const [i, text] of batch.entries()) sealOne(text, i)
        return BATCH
      }
    },
    open: (length) => {
      const batch = texts(length).map(sealOne)
      return () => {
        for (const [i, [text, tag]] of batch.entries()) {
          const decipher = createDecipheriv('chacha20-poly1305', key, nonceOf(i), options)
          decipher.setAuthTag(tag ?? new Uint8Array(0))
          decipher.update(text ?? new Uint8Array(0))
          decipher.final()
        }
        return BATCH
      }
    },
  }
}

const nonceOf = (counter: number): Uint8Array => nonces[counter] ?? new Uint8Array(12)

const batchOf =
  (make: (length: number) => Uint8Array) =>
  (length: number): Uint8Array[] =>
    Array.from({ length: BATCH }, () => make(length))

function checkAll(done: number): number {
  if (done !== BATCH) throw new Error(`only ${done} of ${BATCH} packets opened`)
  return done
}
