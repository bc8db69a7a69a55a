// Loading: what it says where something is missing, and that a wrong answer is noticed.
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { internetChecksum } from '@mesh/wire/ip'
import { instantiate } from '../../src/wasm/aead-exports.ts'
import { AeadArena, loadWasmAead } from '../../src/wasm/index.ts'
import { PAGE_LENGTH, SCRATCH_LENGTH } from '../../src/wasm/layout.ts'
import {
  ANSWERED_CHECKSUM,
  ANSWERED_COUNTER_HIGH,
  ANSWERED_KEY,
  ANSWERED_LENGTHS,
  ANSWERED_TAGS,
  answeredText,
  failedAnswer,
} from '../../src/wasm/self-test.ts'
import { FIRST_SECRET, nonceOf } from './support.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('loadWasmAead', () => {
  test('loads where there is WebAssembly, and leaves nothing of its self-test in the arena', () => {
    const load = loadWasmAead({ batch: 4, keys: 2 })
    if (load.kind === 'missing') throw new Error(load.reason)
    const { arena } = load.aead
    expect(arena.bytes.subarray(FIRST_SECRET, arena.table.address).every((byte) => byte === 0)).toBe(true)
    expect(arena.bytes.subarray(arena.keys.address).every((byte) => byte === 0)).toBe(true)
    expect(arena.table.capacity).toBe(4)
    expect(arena.keys.capacity).toBe(2)
  })

  test('says so where there is none', () => {
    vi.stubGlobal('WebAssembly', undefined)
    expect(loadWasmAead()).toEqual({ kind: 'missing', reason: 'this runtime has no WebAssembly' })
  })

  test('passes on why a runtime will not compile it', () => {
    function Module(): never {
      throw new Error('vectors are not enabled')
    }
    class Memory {
      readonly buffer = new ArrayBuffer(1 << 21)
    }
    // A module may be compiled already, so this runtime forbids its instances too.
    vi.stubGlobal('WebAssembly', { Module, Memory, Instance: Module })
    expect(loadWasmAead()).toEqual({ kind: 'missing', reason: 'vectors are not enabled' })
  })

  test('passes on that an arena cannot be so large', () => {
    expect(loadWasmAead({ packetBytes: 2 ** 33 }).kind).toBe('missing')
    expect(loadWasmAead({ batch: 0 })).toMatchObject({ reason: 'batch: 0, must be a whole number from 1 on' })
  })
})

describe('the self-test', () => {
  test('asks for what noble answers', () => {
    const tags = new Uint8Array(16)
    for (const length of ANSWERED_LENGTHS) {
      const cipher = chacha20poly1305(ANSWERED_KEY, nonceOf(ANSWERED_COUNTER_HIGH, length))
      const tag = cipher.encrypt(answeredText(length)).subarray(length)
      for (const [i, byte] of tag.entries()) tags[i] = (tags[i] ?? 0) ^ byte
    }
    expect(Array.from(tags, (byte) => byte.toString(16).padStart(2, '0')).join('')).toBe(ANSWERED_TAGS)
    expect(internetChecksum(answeredText(1419))).toBe(ANSWERED_CHECKSUM)
  })

  test('notices a module that opens what is forged, one that seals wrong and one that sums wrong', () => {
    const arena = new AeadArena({ batch: 1, keys: 1 })
    const module = instantiate(arena)
    expect(failedAnswer(arena, module)).toBe(undefined)
    const ask = (wrong: Partial<typeof module>) => failedAnswer(arena, { ...module, ...wrong })
    expect(ask({ openBatch: () => 1 })).toBe('a text of 0 bytes')
    expect(ask({ sealBatch: () => 0 })).toBe('a text of 0 bytes')
    expect(ask({ checksum: () => 0 })).toBe('the known checksum')
    // Under another counter both ways: every text comes back, but its tag is not the known one.
    const elsewhere = (run: typeof module.sealBatch) => (table: number, count: number) => {
      const counter = new Uint32Array(arena.memory.buffer, table + 8, 1)
      counter[0] = (counter[0] ?? 0) ^ 1
      const done = run(table, count)
      counter[0] ^= 1
      return done
    }
    const { sealBatch, openBatch } = module
    expect(ask({ sealBatch: elsewhere(sealBatch), openBatch: elsewhere(openBatch) })).toBe('the known tags')
  })
})

describe('AeadArena', () => {
  test('keeps its parts apart and its memory whole pages', () => {
    const arena = new AeadArena({ batch: 3, keys: 5, extraBytes: 100, packetBytes: 70_000 })
    const { table, keys, extra, packets, bytes } = arena
    expect(table.address).toBeGreaterThanOrEqual(SCRATCH_LENGTH)
    expect(keys.address).toBeGreaterThanOrEqual(table.address + 3 * 24)
    expect(extra.byteOffset).toBeGreaterThanOrEqual(keys.address + 5 * 48)
    expect(extra.length).toBe(100)
    expect(packets).toBeGreaterThanOrEqual(extra.byteOffset + 100)
    expect(bytes.length).toBeGreaterThanOrEqual(packets + 70_000)
    expect(bytes.length % PAGE_LENGTH).toBe(0)
    expect(bytes.buffer).toBe(arena.memory.buffer)
  })
})
