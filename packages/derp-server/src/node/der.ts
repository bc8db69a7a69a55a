// The few DER values that a certificate is made of (ITU-T X.690). Only writing: Node reads certificates itself.

/** Object identifiers, encoded. */
export const OID = {
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  subjectAltName: '0603551d11',
  extKeyUsage: '0603551d25',
  serverAuth: '06082b06010505070301',
  ed25519: '06032b6570',
  ecdsaWithSha256: '06082a8648ce3d040302',
} as const

/** Returns the encoded object identifier. */
export function oid(name: keyof typeof OID): Buffer {
  return Buffer.from(OID[name], 'hex')
}

/** Returns a value: tag, length, contents. */
export function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body])
}

/** Returns a SEQUENCE. */
export function sequence(...contents: Uint8Array[]): Buffer {
  return der(0x30, ...contents)
}

/** Returns a non-negative INTEGER from big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1
  const digits = bytes.subarray(start)
  return der(0x02, (digits[0] ?? 0) > 0x7f ? Buffer.from([0]) : Buffer.alloc(0), digits)
}

/** Returns a UTF8String. */
export function utf8(text: string): Buffer {
  return der(0x0c, Buffer.from(text))
}

/** Returns a BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return der(0x03, Buffer.from([0]), bytes)
}

/** Returns an OCTET STRING. */
export function octetString(bytes: Uint8Array): Buffer {
  return der(0x04, bytes)
}

/** Returns a time of whole seconds: UTCTime before 2050, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits))
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  if (length < 0x100) return [0x81, length]
  return [0x82, length >> 8, length & 0xff]
}
