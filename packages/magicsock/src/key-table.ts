// Public keys as keys of a table, without making a string of each: six bytes choose the drawer, a full
// comparison decides. Keys come from the network map, so nobody fills one drawer cheaply.

interface Entry<V> {
  readonly key: Uint8Array
  value: V
}

/** A map from 32-byte public keys. Public: the comparison is not constant-time. */
export class KeyTable<V> {
  readonly #drawers = new Map<number, Entry<V>[]>()

  /** Returns what is stored under `key`. */
  get(key: Uint8Array): V | undefined {
    const drawer = this.#drawers.get(drawerOf(key))
    if (drawer === undefined) return undefined
    for (const entry of drawer) if (sameKey(entry.key, key)) return entry.value
    return undefined
  }

  /** Stores `value` under `key`, which is copied. */
  set(key: Uint8Array, value: V): void {
    const at = drawerOf(key)
    const drawer = this.#drawers.get(at) ?? []
    const entry = drawer.find((e) => sameKey(e.key, key))
    if (entry === undefined) drawer.push({ key: key.slice(), value })
    else entry.value = value
    this.#drawers.set(at, drawer)
  }

  /** Forgets `key`. */
  delete(key: Uint8Array): void {
    const at = drawerOf(key)
    const rest = (this.#drawers.get(at) ?? []).filter((e) => !sameKey(e.key, key))
    if (rest.length === 0) this.#drawers.delete(at)
    else this.#drawers.set(at, rest)
  }
}

/** Tells whether two public keys are equal. */
export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function drawerOf(key: Uint8Array): number {
  let number = 0
  for (let i = 0; i < 6; i++) number = number * 0x100 + (key[i] ?? 0)
  return number
}
