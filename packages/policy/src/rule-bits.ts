// Sets of a policy's rules, by number: one bit a rule. Whether any rule is in two sets at once is the question that is asked
// of every pair of nodes.

/** The rules that are in it, 32 to a word. */
export type RuleBits = Uint32Array

/** Returns the rules for which something holds. */
export function bitsWhere<T>(rules: readonly T[], holds: (rule: T) => boolean): RuleBits {
  const bits = new Uint32Array(Math.ceil(rules.length / 32))
  for (const [i, rule] of rules.entries())
    if (holds(rule)) bits[i >> 5] = (bits[i >> 5] ?? 0) | (1 << (i & 31))
  return bits
}

/** Tells whether any rule is in both. */
export function meet(a: RuleBits, b: RuleBits): boolean {
  for (let i = 0; i < a.length; i += 1) if (((a[i] ?? 0) & (b[i] ?? 0)) !== 0) return true
  return false
}

/** Tells whether any rule is in all three. */
export function meetAll(a: RuleBits, b: RuleBits, c: RuleBits): boolean {
  for (let i = 0; i < a.length; i += 1) if (((a[i] ?? 0) & (b[i] ?? 0) & (c[i] ?? 0)) !== 0) return true
  return false
}
