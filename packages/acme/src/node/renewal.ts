// When to ask for the next certificate.

/** The longest between two looks at the calendar: a machine may sleep, and its clock may be set. */
export const LOOK_AGAIN = 43_200_000

const FIRST_RETRY = 60_000
const LAST_RETRY = 21_600_000

/** Returns when a certificate is to be renewed: when a third of its time is left. Wall time in milliseconds. */
export function renewalTime({ validFromDate: from, validToDate: to }: Validity): number {
  return to.getTime() - (to.getTime() - from.getTime()) / 3
}

/** The days between which a certificate is valid. */
export interface Validity {
  readonly validFromDate: Date
  readonly validToDate: Date
}

/**
 * Returns how many milliseconds to wait after so many failures: a minute, doubled each time up to six hours, because
 * authorities count failures too.
 *
 * @param random - From 0 to 1; relays that failed together do not come back together.
 */
export function retryDelay(failures: number, random: number): number {
  return Math.min(FIRST_RETRY * 2 ** (failures - 1), LAST_RETRY) * (0.5 + random)
}
