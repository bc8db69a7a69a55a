import { openSslEvp, openSslRaw } from '@mesh/linux/node'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Borrowed, borrowedOpenSsl, chooseAead, OPENSSL_SCRATCH } from '../../src/node/openssl-aead.ts'
import { FORGED, loadWasmAead, REFUSED, type WasmAead } from '../../src/wasm/index.ts'

function load(): WasmAead {
  const loaded = loadWasmAead({ packetBytes: 1 << 18, extraBytes: OPENSSL_SCRATCH })
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  return loaded.aead
}

describe('bulk crypto by OpenSSL', () => {
  beforeEach(({ skip }) => {
    if (openSslRaw() === undefined && openSslEvp() === undefined)
      skip('this Node shows nothing of its OpenSSL')
  })

  const wasm = load()
  const { arena } = wasm
  const { table, bytes } = arena
  const { backend, missing } = chooseAead(wasm, arena.extra.byteOffset, borrowedOpenSsl())
  const slot = arena.keys.put(new Uint8Array(32).fill(3)) ?? -1

  test('passes its self-test and is chosen', () => {
    expect(missing).toEqual([])
    expect(backend.name).toBe('openssl-raw')
  })

  test('seals and opens batches of any lengths as WebAssembly does, at any alignment', () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(lengths, fc.nat(15), (sizes, shift) => {
        const lay = (sealed: boolean): void => {
          let at = arena.packets + 64 + shift
          sizes.forEach((size, i) => {
            table.set(i, at, sealed ? size + 16 : size, i, size, slot)
            at += size + 32
          })
        }
        const all = (): Uint8Array => bytes.slice(arena.packets, arena.packets + 70_000)
        bytes.fill(7, arena.packets, arena.packets + 70_000)
        const plain = all()
        lay(false)
        wasm.sealBatch(table, sizes.length)
        const expected = all()
        bytes.set(plain, arena.packets)
        lay(false)
        expect(backend.sealBatch(table, sizes.length)).toBe(sizes.length)
        expect(Buffer.compare(all(), expected)).toBe(0)
        lay(true)
        expect(backend.openBatch(table, sizes.length)).toBe(sizes.length)
        sizes.forEach((size, i) => {
          expect(bytes.subarray(table.offset(i), table.offset(i) + size).every((byte) => byte === 7)).toBe(
            true,
          )
        })
      }),
      { numRuns: 100 },
    )
  })

  test('refuses what reaches outside the packet area or names no live key, and touches none of it', () => {
    const before = bytes.slice()
    const key = arena.keys.address
    const cases = [
      [key, 1000, slot],
      [0, 1000, slot],
      [bytes.length - 1000, 1000, slot],
      [0xffff_fff0, 1000, slot],
      [arena.packets, 65_536, slot],
      [arena.packets, 1000, slot + 1],
      [arena.packets, 1000, 0xffff_ffff],
    ] as const
    for (const [at, length, named] of cases) {
      table.set(0, at, length, 0, 0, named)
      expect(backend.sealBatch(table, 1)).toBe(0)
      expect(table.result(0)).toBe(REFUSED)
      table.set(0, at, length + 16, 0, 0, named)
      expect(backend.openBatch(table, 1)).toBe(0)
      expect(table.result(0)).toBe(REFUSED)
    }
    table.set(0, arena.packets, 15, 0, 0, slot)
    expect(backend.openBatch(table, 1)).toBe(0)
    const from = arena.packets
    expect(Buffer.compare(bytes.subarray(from), before.subarray(from))).toBe(0)
  })

  test('leaves a forged packet as it came', () => {
    const at = arena.packets + 64
    bytes.fill(9, at, at + 1016)
    const before = bytes.slice(at - 64, at + 1100)
    table.set(0, at, 1016, 0, 5, slot)
    expect(backend.openBatch(table, 1)).toBe(0)
    expect(table.result(0)).toBe(FORGED)
    expect(Buffer.compare(bytes.slice(at - 64, at + 1100), before)).toBe(0)
  })
})

describe('what there is to borrow', () => {
  beforeEach(({ skip }) => {
    const { raw, evp } = borrowedOpenSsl()
    if (raw === undefined || evp === undefined) skip('this Node does not show all of its OpenSSL')
  })

  const choose = (change: (borrowed: Borrowed) => Borrowed): [string, readonly string[]] => {
    const wasm = load()
    const { backend, missing } = chooseAead(wasm, wasm.arena.extra.byteOffset, change(borrowedOpenSsl()))
    return [backend.name, missing]
  }

  test('a symbol that is missing costs speed and nothing else', () => {
    expect(choose(({ evp }) => ({ raw: undefined, evp }))).toEqual([
      'openssl-evp',
      ['openssl-raw: this Node does not show it'],
    ])
    expect(choose(() => ({ raw: undefined, evp: undefined }))).toEqual([
      'wasm',
      ['openssl-raw: this Node does not show it', 'openssl-evp: this Node does not show it'],
    ])
  })

  test('a cipher that answers one known question wrong is not used', () => {
    const lazy = (borrowed: Borrowed): Borrowed => ({
      raw: borrowed.raw && { ...borrowed.raw, poly1305: () => undefined },
      evp: borrowed.evp && { ...borrowed.evp, open: () => true },
    })
    expect(choose(lazy)).toEqual([
      'wasm',
      ['openssl-raw: it fails its self-test', 'openssl-evp: it fails its self-test'],
    ])
  })

  test('one that throws is not used either', () => {
    const fail = (): never => {
      throw new Error('gone')
    }
    const broken = (): Borrowed => ({
      raw: { chacha20: fail, poly1305: fail },
      evp: { seal: fail, open: fail, forget: fail },
    })
    expect(choose(broken)[0]).toBe('wasm')
  })
})
