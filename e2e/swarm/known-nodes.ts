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
    if (last.json !== json) last = { json, ...read(json) }
    for (const id of last.named) this.#set(id, true)
    for (const id of last.removed) this.#set(id, false)
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

/** What was read last: the same response may come to many clients, as the same object. */
let last: { json: Buffer; named: number[]; removed: readonly number[] } = {
  json: Buffer.alloc(0),
  named: [],
  removed: [],
}

function read(json: Buffer): { named: number[]; removed: readonly number[] } {
  const named: number[] = []
  for (let at = json.indexOf(NODE); at !== -1; at = json.indexOf(NODE, at + NODE.length))
    named.push(numberBefore(json, at))
  if (!json.includes(REMOVED)) return { named, removed: [] }
  const { PeersRemoved = [] } = JSON.parse(json.toString()) as { PeersRemoved?: readonly number[] }
  return { named, removed: PeersRemoved }
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
