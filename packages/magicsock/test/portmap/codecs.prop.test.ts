// The four tests of a codec, for NAT-PMP, PCP and SSDP.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gatewayUrl } from '../../src/portmap/http-request.ts'
import { decodePmpResponse, encodePmpAddressRequest, encodePmpMapRequest } from '../../src/portmap/nat-pmp.ts'
import { decodePcpResponse, encodePcpAnnounce, encodePcpMapRequest } from '../../src/portmap/pcp.ts'
import { decodeSsdpAnswer } from '../../src/portmap/ssdp.ts'
import { readServices, readSoap } from '../../src/portmap/upnp-xml.ts'
import { GATEWAY, SELF } from './fake-gateway.ts'

const port = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.nat(0xffffffff)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const URL_BASE = { to: { address: GATEWAY, port: 5000 }, path: '/rootDesc.xml' }

describe('NAT-PMP and PCP', () => {
  test('requests are these bytes', () => {
    expect(hex(encodePmpAddressRequest())).toBe('0000')
    // version 0, map UDP; reserved; internal 41641; external 50001; 7200 s
    expect(hex(encodePmpMapRequest(41_641, 50_001, 7_200))).toBe(
      ['0001', '0000', 'a2a9', 'c351', '00001c20'].join(''),
    )
    // version 2, announce; reserved; lifetime 0; ::ffff:192.168.1.11
    expect(hex(encodePcpAnnounce(SELF))).toBe(
      ['0200', '0000', '00000000', '00000000000000000000ffffc0a8010b'].join(''),
    )
    const map = encodePcpMapRequest({
      client: SELF,
      nonce: Uint8Array.from({ length: 12 }, (_, index) => index + 1),
      internalPort: 41_641,
      externalPort: 0,
      externalAddress: new Uint8Array(4),
      lifetime: 7_200,
    })
    expect(hex(map)).toBe(
      [
        // version 2, MAP; reserved; lifetime; client
        ...['0201', '0000', '00001c20', '00000000000000000000ffffc0a8010b'],
        // nonce; UDP, reserved
        ...['0102030405060708090a0b0c', '11000000'],
        // internal and external port; outside address: any
        ...['a2a9', '0000', '00000000000000000000ffff00000000'],
      ].join(''),
    )
  })

  test('answers are read back', () => {
    fc.assert(
      fc.property(port, port, u32, u32, (internal, external, epoch, lifetime) => {
        const bytes = new Uint8Array(16)
        const view = new DataView(bytes.buffer)
        bytes[1] = 0x81
        view.setUint32(4, epoch)
        view.setUint16(8, internal)
        view.setUint16(10, external)
        view.setUint32(12, lifetime)
        expect(decodePmpResponse(bytes)).toEqual({
          kind: 'map',
          result: 0,
          epoch,
          internalPort: internal,
          externalPort: external,
          lifetime,
        })
      }),
    )
    fc.assert(
      fc.property(
        port,
        port,
        u32,
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        (internal, external, lifetime, nonce) => {
          const request = {
            client: SELF,
            nonce,
            internalPort: internal,
            externalPort: external,
            externalAddress: SELF,
            lifetime,
          }
          const bytes = encodePcpMapRequest(request)
          bytes[1] = 0x81
          expect(decodePcpResponse(bytes)).toMatchObject({
            kind: 'map',
            nonce,
            internalPort: internal,
            externalPort: external,
            externalAddress: SELF,
            lifetime,
          })
        },
      ),
    )
  })

  test('an answer cut short is none', () => {
    const pmp = Uint8Array.from({ length: 16 }, (_, index) => (index === 1 ? 0x81 : 0))
    for (let length = 0; length < 16; length += 1)
      expect(decodePmpResponse(pmp.subarray(0, length))).toBeUndefined()
    const pcp = Uint8Array.from({ length: 60 }, (_, index) => (index === 0 ? 2 : index === 1 ? 0x81 : 0))
    for (let length = 0; length < 60; length += 1)
      expect(decodePcpResponse(pcp.subarray(0, length))).toBeUndefined()
  })

  test('threat 13: damaged bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3_000 }), (bytes) => {
        decodePmpResponse(bytes)
        decodePcpResponse(bytes)
        decodeSsdpAnswer(bytes, GATEWAY)
        readSoap(new TextDecoder().decode(bytes), 'X')
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        readServices(text, URL_BASE)
        readSoap(`<a>${text}</a>`, 'X')
        gatewayUrl(text, GATEWAY)
      }),
    )
  })
})
