import { describe, expect, test } from 'vitest'
import {
  CipherState,
  type IkKeys,
  type IkPattern,
  ikAccept,
  ikInitiate,
  nobleCrypto as crypto,
} from '../src/index.ts'
import { hex, toHex } from './support.ts'
import file from './vectors/cacophony.json' with { type: 'json' }

describe.each(file.vectors)('cacophony $protocol_name', (vector) => {
  const pattern = vector.protocol_name.split('_')[1] as IkPattern
  const psk = vector.init_psks?.[0] === undefined ? undefined : hex(vector.init_psks[0])
  const message = (i: number): { payload: Uint8Array; ciphertext: string } => {
    const { payload = '', ciphertext = '' } = vector.messages[i] ?? {}
    return { payload: hex(payload), ciphertext }
  }

  function handshake(): { initiator: IkKeys; responder: IkKeys } {
    const initiation = ikInitiate(
      {
        pattern,
        crypto,
        staticPrivate: hex(vector.init_static),
        prologue: hex(vector.init_prologue),
        remoteStatic: hex(vector.init_remote_static),
        ephemeralPrivate: hex(vector.init_ephemeral),
      },
      message(0).payload,
    )
    if (initiation === undefined) throw new Error('no initiation')
    expect(toHex(initiation.message)).toBe(message(0).ciphertext)
    const options = {
      pattern,
      crypto,
      staticPrivate: hex(vector.resp_static),
      prologue: hex(vector.resp_prologue),
    }
    const acceptance = ikAccept(options, initiation.message)
    expect(acceptance?.remoteStatic).toEqual(crypto.x25519Public(hex(vector.init_static)))
    expect(acceptance?.openPayload()).toEqual(message(0).payload)
    const response = acceptance?.respond(hex(vector.resp_ephemeral), message(1).payload, psk)
    if (response === undefined) throw new Error('no response')
    expect(toHex(response.message)).toBe(message(1).ciphertext)
    const read = initiation.readResponse(response.message, psk)
    if (read === undefined) throw new Error('response refused')
    expect(read.payload).toEqual(message(1).payload)
    return { initiator: read.keys, responder: response.keys }
  }

  test('both roles reproduce it byte for byte', () => {
    const { initiator, responder } = handshake()
    expect(toHex(initiator.handshakeHash)).toBe(vector.handshake_hash)
    expect(responder.handshakeHash).toEqual(initiator.handshakeHash)
    expect(responder.receive).toEqual(initiator.send)
    expect(responder.send).toEqual(initiator.receive)
  })

  test('the transport messages too, with the little-endian nonce of Noise', () => {
    const { initiator } = handshake()
    const sides = [initiator.send, initiator.receive].map(
      (key) => new CipherState(crypto, key, 'little-endian'),
    )
    for (let i = 2; i < vector.messages.length; i++) {
      const { payload, ciphertext } = message(i)
      expect(toHex(sides[i % 2]?.seal(payload) ?? payload)).toBe(ciphertext)
    }
  })
})

describe('a handshake', () => {
  const prologue = new Uint8Array(0)
  const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
  const initiator = { pattern: 'IK', crypto, staticPrivate: key(1), prologue } as const
  const responder = { pattern: 'IK', crypto, staticPrivate: key(2), prologue } as const
  const remoteStatic = crypto.x25519Public(key(2))
  const begin = (): NonNullable<ReturnType<typeof ikInitiate>> => {
    const begun = ikInitiate({ ...initiator, remoteStatic, ephemeralPrivate: key(3) }, Uint8Array.of(9))
    if (begun === undefined) throw new Error('no initiation')
    return begun
  }

  test('is not begun with a low-order key', () => {
    expect(
      ikInitiate({ ...initiator, remoteStatic: new Uint8Array(32), ephemeralPrivate: key(3) }, prologue),
    ).toBeUndefined()
  })

  test('is refused by anyone but the one it is meant for, and with another prologue', () => {
    const { message } = begin()
    expect(ikAccept({ ...responder, staticPrivate: key(5) }, message)).toBeUndefined()
    expect(ikAccept({ ...responder, prologue: Uint8Array.of(1) }, message)).toBeUndefined()
    expect(ikAccept({ ...responder, pattern: 'IKpsk2' }, message)).toBeUndefined()
  })

  test('proves no key when any byte of it was changed', () => {
    const { message } = begin()
    for (let i = 0; i < message.length; i += 5) {
      const changed = Uint8Array.from(message)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(ikAccept(responder, changed)?.openPayload()).toBeUndefined()
      expect(ikAccept(responder, message.subarray(0, i))?.openPayload()).toBeUndefined()
    }
  })

  test('survives forged responses: the true one still completes it (data-plane.md appendix B 16)', () => {
    const initiation = begin()
    const acceptance = ikAccept(responder, initiation.message)
    acceptance?.openPayload()
    const message = acceptance?.respond(key(4), Uint8Array.of(7))?.message
    if (message === undefined) throw new Error('no response')
    for (let i = 0; i < message.length; i += 3) {
      const changed = Uint8Array.from(message)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(initiation.readResponse(changed)).toBeUndefined()
    }
    expect(initiation.readResponse(new Uint8Array(message.length))).toBeUndefined()
    expect(initiation.readResponse(message)?.payload).toEqual(Uint8Array.of(7))
  })

  test('takes the static secret worked out before instead of working it out', () => {
    const staticShared = crypto.x25519(key(1), remoteStatic)
    if (staticShared === undefined) throw new Error('no secret')
    const quick = ikInitiate(
      { ...initiator, remoteStatic, staticShared, ephemeralPrivate: key(3) },
      Uint8Array.of(9),
    )
    expect(quick?.message).toEqual(begin().message)
    expect(ikAccept(responder, begin().message)?.openPayload(staticShared)).toEqual(Uint8Array.of(9))
  })
})
