// Randomness as a thing one is handed, with a seeded source so that a failing run can be run again.

/** Returns `length` fresh random bytes that the caller may keep and overwrite. */
export type RandomSource = (length: number) => Uint8Array

/**
 * Returns a source whose bytes follow from `seed` alone: for tests and simulations, never for keys.
 *
 * The generator is splitmix32: 32 bits of state, good enough to spread test data, trivial to predict.
 *
 * @param seed - Any number; its low 32 bits count.
 */
export function seededRandom(seed: number): RandomSource {
  let state = seed | 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i += 4) {
      state = (state + 0x9e3779b9) | 0
      const word = mix(state)
      for (let k = 0; k < 4 && i + k < length; k += 1) bytes[i + k] = word >>> (8 * k)
    }
    return bytes
  }
}

function mix(state: number): number {
  let z = state
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return z ^ (z >>> 15)
}
