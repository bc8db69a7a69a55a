// Standard base64 (RFC 4648 §4), reading only: not every runtime this core runs in has it built in.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const SHAPE = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Returns the bytes that padded standard base64 stands for, or `undefined` when it is anything else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!SHAPE.test(text)) return undefined
  const digits = text.replace(/=+$/, '')
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let held = 0
  let bits = 0
  let at = 0
  for (const digit of digits) {
    held = (held << 6) | ALPHABET.indexOf(digit)
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[at] = held >> bits
    held &= (1 << bits) - 1
    at += 1
  }
  return bytes
}
