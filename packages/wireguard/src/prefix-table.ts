// Longest-prefix match over the bytes of addresses, as they stand in a packet: a Patricia trie for each family.
// A node stands for a prefix; below it hang the longer ones, left those whose next bit is 0, right those with 1.
import type { Prefix } from '@mesh/wire/ip'

/** The value of a prefix that belongs to nobody, though a shorter one around it does. */
export const HOLE = -2
/** What stands where two branches merely part. */
const FORK = -1

interface TrieNode {
  readonly address: Uint8Array
  readonly bits: number
  value: number
  left: TrieNode | undefined
  right: TrieNode | undefined
}

/** Maps prefixes to numbers, and an address to the number of the longest prefix that holds it. */
export class PrefixTable {
  #v4: TrieNode | undefined
  #v6: TrieNode | undefined

  /**
   * Adds a prefix; one that is there already gets the new value.
   *
   * @param value - Not negative, or -2 for a hole: no value, whatever a shorter prefix says.
   */
  insert(prefix: Prefix, value: number): void {
    const { address, bits } = prefix
    const node: TrieNode = {
      address: Uint8Array.from(address),
      bits,
      value,
      left: undefined,
      right: undefined,
    }
    if (address.length === 4) this.#v4 = insertInto(this.#v4, node)
    else this.#v6 = insertInto(this.#v6, node)
  }

  /**
   * Returns the value of the longest prefix that holds the address; a negative number when none does, or it is a hole.
   *
   * @param bytes - Holds the address, `length` bytes (4 or 16) from `offset` on.
   */
  lookup(bytes: Uint8Array, offset: number, length: number): number {
    const whole = length * 8
    let node = length === 4 ? this.#v4 : this.#v6
    let found = -1
    while (node !== undefined && commonBits(node.address, 0, bytes, offset, node.bits) >= node.bits) {
      if (node.value !== FORK) found = node.value
      if (node.bits === whole) break
      node = bitAt(bytes, offset, node.bits) === 0 ? node.left : node.right
    }
    return found
  }
}

function insertInto(root: TrieNode | undefined, node: TrieNode): TrieNode {
  if (root === undefined) return node
  const common = commonBits(root.address, 0, node.address, 0, Math.min(root.bits, node.bits))
  if (common === root.bits && common === node.bits) {
    root.value = node.value
    return root
  }
  if (common === root.bits) {
    if (bitAt(node.address, 0, common) === 0) root.left = insertInto(root.left, node)
    else root.right = insertInto(root.right, node)
    return root
  }
  const parent: TrieNode = common === node.bits ? node : branch(node, common)
  attach(parent, root)
  if (parent !== node) attach(parent, node)
  return parent
}

function branch(node: TrieNode, bits: number): TrieNode {
  return { address: node.address, bits, value: FORK, left: undefined, right: undefined }
}

function attach(parent: TrieNode, child: TrieNode): void {
  if (bitAt(child.address, 0, parent.bits) === 0) parent.left = child
  else parent.right = child
}

function bitAt(bytes: Uint8Array, offset: number, bit: number): number {
  return ((bytes[offset + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1
}

/** How many leading bits two addresses share, at most `limit`. */
function commonBits(a: Uint8Array, atA: number, b: Uint8Array, atB: number, limit: number): number {
  for (let i = 0; 8 * i < limit; i += 1) {
    const difference = (a[atA + i] ?? 0) ^ (b[atB + i] ?? 0)
    if (difference !== 0) return Math.min(limit, 8 * i + Math.clz32(difference) - 24)
  }
  return limit
}
