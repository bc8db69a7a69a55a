// Base64 of our own making, for the module and for keys: a core has no `atob`, and not every runtime reads base64 into bytes.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Returns the bytes that base64 text stands for; whatever is no digit is skipped. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let length = 0
  let bits = 0
  let held = 0
  for (const digit of text) {
    const value = ALPHABET.indexOf(digit)
    if (value < 0) continue
    held = ((held << 6) | value) & 0xfff
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[length] = held >>> bits
    length += 1
  }
  return bytes.slice(0, length)
}
