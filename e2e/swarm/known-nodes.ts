// Whom one client knows by its map. A swarm gets gigabytes of maps: they are looked through for the numbers of nodes, not
// parsed.

const NODE = Buffer.from(',"StableID":')
const COLON = 58
const REMOVED = Buffer.from('"PeersRemoved":')

/** The numbers of the nodes that one client was told of. */
export class KnownNodes {
  #bits = new Uint8Array(0)
  #count = 0

  /** How many there are, the client itself included. */
  get count(): number {
    return this.#count
  }

  /** Applies a map response: its first is whole, later ones add and remove. */
  apply(json: Buffer): void {
    for (let at = json.indexOf(NODE); at !== -1; at = json.indexOf(NODE, at + NODE.length))
      this.#set(numberBefore(json, at), true)
    if (!json.includes(REMOVED)) return
    const { PeersRemoved = [] } = JSON.parse(json.toString()) as { PeersRemoved?: readonly number[] }
    for (const id of PeersRemoved) this.#set(id, false)
  }

  #set(id: number, isKnown: boolean): void {
    const byte = id >> 3
    if (byte >= this.#bits.length) {
      const grown = new Uint8Array(2 * byte + 16)
      grown.set(this.#bits)
      this.#bits = grown
    }
    const bit = 1 << (id & 7)
    const was = ((this.#bits[byte] ?? 0) & bit) !== 0
    if (was === isKnown) return
    this.#bits[byte] = (this.#bits[byte] ?? 0) ^ bit
    this.#count += isKnown ? 1 : -1
  }
}

/** Every node begins with its number; the text that stands behind it is what can be looked for. */
function numberBefore(json: Buffer, end: number): number {
  let id = 0
  let at = end - 1
  for (let scale = 1; isDigit(json[at]); scale *= 10, at -= 1) id += scale * ((json[at] ?? 0) - 48)
  if (at === end - 1 || json[at] !== COLON) throw new Error('a node without a number')
  return id
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57
}
