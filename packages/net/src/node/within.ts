// Patience with an end: for what may hang and must not hold up the rest.

/** Waits for `work`, but no longer than so many milliseconds, and returns what came of it; `undefined` when nothing has yet. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([work, over])
  } finally {
    clearTimeout(timer)
  }
}
