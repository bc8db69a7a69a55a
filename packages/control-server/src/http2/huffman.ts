// The Huffman code of HTTP/2 headers (RFC 7541 appendix B), for reading: what this server says it writes plainly. The code
// is canonical, so the lengths of its words are all there is to know.

/** How many bits the word of each byte has, one digit of base 36 each. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq'
/** The longest words; the last of them, all ones, ends nothing here: it is never written. */
const LONGEST = 30

/** Bytes by their words: shortest first, then by value. */
const SYMBOLS = Uint8Array.from(LENGTHS, (_, byte) => byte).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b)
/** The first word of each length, how many there are, and where their bytes begin in `SYMBOLS`. */
const FIRST = new Uint32Array(LONGEST + 1)
const COUNT = new Uint32Array(LONGEST + 1)
const START = new Uint32Array(LONGEST + 1)

for (const symbol of SYMBOLS) COUNT[lengthOf(symbol)] = at(COUNT, lengthOf(symbol)) + 1
for (let length = 1; length <= LONGEST; length += 1) {
  FIRST[length] = (at(FIRST, length - 1) + at(COUNT, length - 1)) << 1
  START[length] = at(START, length - 1) + at(COUNT, length - 1)
}

/** Returns the text that `bytes` are the code of, one character a byte; `undefined` when they are not. */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  let text = ''
  let word = 0
  let length = 0
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      word = (word << 1) | ((byte >> bit) & 1)
      length += 1
      const index = word - at(FIRST, length)
      if (index < at(COUNT, length)) {
        text += String.fromCharCode(at(SYMBOLS, at(START, length) + index))
        word = length = 0
      } else if (length === LONGEST) return undefined
    }
  }
  // What fills the last byte is the beginning of the word of all ones, and shorter than a byte (RFC 7541 §5.2).
  return length < 8 && word === (1 << length) - 1 ? text : undefined
}

function lengthOf(symbol: number): number {
  return Number.parseInt(LENGTHS.charAt(symbol), 36)
}

function at(table: Uint32Array | Uint8Array, index: number): number {
  return table[index] ?? 0
}
