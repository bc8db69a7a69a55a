import { createCipheriv } from 'node:crypto'
import {
  AF_INET,
  EAGAIN,
  EBADF,
  EBADFD,
  MSG_DONTWAIT,
  O_CLOEXEC,
  O_NONBLOCK,
  POLLIN,
  SOCK_DGRAM,
} from '@mesh/linux'
import { Arena, describeErrno, linuxCalls, openSslEvp, openSslRaw, unsupportedReason } from '@mesh/linux/node'
import { beforeEach, describe, expect, test } from 'vitest'

const reason = unsupportedReason()

describe('Linux calls', () => {
  beforeEach(({ skip }) => {
    if (reason !== undefined) skip(reason)
  })

  test('an arena refuses every range that is not wholly inside', () => {
    const arena = new Arena(new SharedArrayBuffer(64))
    const calls = linuxCalls()
    for (const [offset, length] of [
      [-1, 1],
      [64, 1],
      [0, 65],
      [60, 8],
      [0, -1],
      [NaN, 1],
    ] as const) {
      expect(() => calls.read(0, arena, offset, length)).toThrow(RangeError)
      expect(() => arena.setIovec(0, offset, length)).toThrow(RangeError)
    }
    expect(() => arena.setMessage(16, 0, 1)).toThrow(RangeError)
  })

  test('an arena is not made of memory that could be given away', () => {
    expect(() => new Arena(new ArrayBuffer(64) as unknown as SharedArrayBuffer)).toThrow(TypeError)
  })

  test('a call that fails returns its negative error number', () => {
    const calls = linuxCalls()
    const arena = new Arena(new SharedArrayBuffer(64))
    const fd = calls.eventfd(O_NONBLOCK | O_CLOEXEC)
    expect(calls.read(fd, arena, 0, 8)).toBe(-EAGAIN)
    expect(describeErrno(-EAGAIN)).toContain('EAGAIN')
    calls.close(fd)
  })

  test('an error number has words, where Node has none as well', () => {
    expect(describeErrno(-EBADF)).toBe('EBADF: bad file descriptor')
    expect(describeErrno(-EBADFD)).toBe('EBADFD: file descriptor in bad state')
    expect(describeErrno(-531)).toBe('error 531')
  })

  test('poll waits for an eventfd', () => {
    const calls = linuxCalls()
    const arena = new Arena(new SharedArrayBuffer(64))
    const view = new DataView(arena.bytes.buffer)
    const fd = calls.eventfd(O_NONBLOCK | O_CLOEXEC)
    view.setInt32(16, fd, true)
    view.setInt16(20, POLLIN, true)
    expect(calls.poll(arena, 16, 1, 0)).toBe(0)
    view.setBigUint64(0, 1n, true)
    expect(calls.write(fd, arena, 0, 8)).toBe(8)
    expect(calls.poll(arena, 16, 1, -1)).toBe(1)
    expect(view.getInt16(22, true)).toBe(POLLIN)
    calls.close(fd)
  })

  test('a call on a file descriptor that is none says so, whatever its number', () => {
    const calls = linuxCalls()
    const arena = new Arena(new SharedArrayBuffer(128))
    arena.setIovec(0, 64, 8)
    arena.setMessage(16, 0, 1)
    for (const fd of [-1, 65_000, 2 ** 31 - 1]) {
      expect(calls.read(fd, arena, 64, 8)).toBe(-EBADF)
      expect(calls.write(fd, arena, 64, 8)).toBe(-EBADF)
      expect(calls.writev(fd, arena, 0, 1)).toBe(-EBADF)
      expect(calls.sendmsg(fd, arena, 16, 0)).toBe(-EBADF)
      expect(calls.recvmsg(fd, arena, 16, 0)).toBe(-EBADF)
    }
  })

  test('a pair of sockets carries messages whole', () => {
    const calls = linuxCalls()
    const arena = new Arena(new SharedArrayBuffer(64))
    expect(calls.socketpair(SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, arena, 0)).toBe(0)
    const view = new DataView(arena.bytes.buffer)
    const [near, far] = [view.getInt32(0, true), view.getInt32(4, true)]
    arena.bytes.fill(7, 8, 16)
    expect(calls.write(near, arena, 8, 5)).toBe(5)
    expect(calls.write(near, arena, 8, 3)).toBe(3)
    expect([calls.read(far, arena, 16, 40), calls.read(far, arena, 16, 40)]).toEqual([5, 3])
    expect(calls.read(far, arena, 16, 40)).toBe(-EAGAIN)
    calls.close(near)
    calls.close(far)
  })

  test('a datagram of two pieces goes to a socket of its own and comes back with its source', () => {
    const calls = linuxCalls()
    const arena = new Arena(new SharedArrayBuffer(1024))
    const view = new DataView(arena.bytes.buffer)
    const fd = calls.socket(AF_INET, SOCK_DGRAM | O_CLOEXEC)
    view.setUint16(0, AF_INET, true)
    arena.bytes.set([127, 0, 0, 1], 4)
    expect(calls.bind(fd, arena, 0, 16)).toBe(0)
    view.setUint32(16, 16, true)
    expect(calls.getsockname(fd, arena, 0, 16)).toBe(0)
    arena.bytes.set([1, 2, 3, 4], 32)
    arena.setIovec(64, 32, 2)
    arena.setIovec(80, 34, 2)
    arena.setMessage(128, 64, 2, { offset: 0, length: 16 })
    expect(calls.sendmsg(fd, arena, 128, 0)).toBe(4)
    arena.setIovec(64, 300, 100)
    arena.setMessage(128, 64, 1, { offset: 200, length: 28 })
    expect(calls.recvmsg(fd, arena, 128, MSG_DONTWAIT)).toBe(4)
    expect([...arena.bytes.subarray(300, 304)]).toEqual([1, 2, 3, 4])
    expect(arena.messageNameLength(128)).toBe(16)
    expect(view.getUint16(202)).toBe(view.getUint16(2))
    calls.close(fd)
  })
})

/** What node:crypto makes of a text of so many bytes of 9, under the key 1, 2, 3 … and nonce 0. */
function sealed(length: number): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', KEY, new Uint8Array(12), { authTagLength: 16 })
  return Buffer.concat([cipher.update(new Uint8Array(length).fill(9)), cipher.final(), cipher.getAuthTag()])
}

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)

describe('OpenSSL inside', () => {
  beforeEach(({ skip }) => {
    if (openSslRaw() === undefined) skip('this Node shows no ChaCha20 and Poly1305 of its OpenSSL')
  })

  test('the borrowed ChaCha20 and Poly1305 agree with node:crypto', () => {
    const raw = openSslRaw()
    const arena = new Arena(new SharedArrayBuffer(4096))
    arena.bytes.set(KEY)
    const view = new DataView(arena.bytes.buffer)
    for (const length of [16, 64, 256, 1424]) {
      arena.bytes.fill(0, 64, 128)
      view.setUint32(32, 0, true)
      raw?.chacha20(arena, 64, 64, 0, 32)
      arena.bytes.fill(9, 256, 256 + length)
      view.setUint32(32, 1, true)
      raw?.chacha20(arena, 256, length, 0, 32)
      arena.bytes.fill(0, 256 + length, 256 + length + 16)
      view.setUint32(256 + length + 8, length, true)
      raw?.poly1305(arena, 256, length + 16, 64, 4000)
      arena.bytes.copyWithin(256 + length, 4000, 4016)
      expect(sealed(length).equals(arena.bytes.subarray(256, 256 + length + 16))).toBe(true)
    }
  })
})

describe('OpenSSL outside', () => {
  beforeEach(({ skip }) => {
    if (openSslEvp() === undefined) skip('this Node shows no EVP functions of its OpenSSL')
  })

  test('OpenSSL by its public functions agrees with node:crypto', () => {
    const evp = openSslEvp()
    const arena = new Arena(new SharedArrayBuffer(4096))
    arena.bytes.set(KEY)
    for (const length of [0, 1, 16, 100, 1420]) {
      arena.bytes.fill(9, 256, 256 + length)
      evp?.seal(arena, 256, length, 0, 64)
      expect(sealed(length).equals(arena.bytes.subarray(256, 256 + length + 16))).toBe(true)
      expect(evp?.open(arena, 256, length, 0, 64)).toBe(true)
      evp?.seal(arena, 256, length, 0, 64)
      arena.bytes[256 + length] = (arena.bytes[256 + length] ?? 0) ^ 1
      expect(evp?.open(arena, 256, length, 0, 64)).toBe(false)
    }
  })
})
