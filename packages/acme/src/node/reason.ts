// What of an error, which may be somebody else's, goes into a sentence.

/** How much of what somebody else wrote is repeated. */
const MAX_LENGTH = 500

/** Returns an error's message as part of one line: without a full stop, and without what would steer a terminal. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, MAX_LENGTH)
    .replace(/\.$/, '')
}
