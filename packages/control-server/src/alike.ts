// Whether two values of a map say the same. The policy is compiled anew whenever a node comes or goes, and then every node's
// rules are compared with those before; the long lists in them are the same few for all, so each two are compared once.

/** Lists of fewer items are compared again each time. */
const LONG = 32

/** Compares JSON values, and remembers how long lists compared for as long as they live. */
export class Likeness {
  readonly #known = new WeakMap<object, WeakMap<object, boolean>>()

  /** Tells whether two values would be the same JSON but for the order of fields. */
  is(a: unknown, b: unknown): boolean {
    if (a === b) return true
    if (Array.isArray(a)) return Array.isArray(b) && this.#isList(a, b)
    if (!isObject(a) || !isObject(b) || Array.isArray(b)) return false
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && this.is(a[key], b[key]))
  }

  #isList(a: readonly unknown[], b: readonly unknown[]): boolean {
    if (a.length !== b.length) return false
    if (a.length < LONG) return a.every((each, i) => this.is(each, b[i]))
    const others = this.#known.get(a) ?? new WeakMap<object, boolean>()
    this.#known.set(a, others)
    const known = others.get(b) ?? a.every((each, i) => this.is(each, b[i]))
    others.set(b, known)
    return known
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
