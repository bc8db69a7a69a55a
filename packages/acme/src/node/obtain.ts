// One certificate from an ACME authority. It asks the name's own port 443 for proof (tls-alpn-01, RFC 8737), which the
// TLS server gives beside its usual work.
import { setTimeout as sleep } from 'node:timers/promises'
import { axios, Client, crypto } from 'acme-client'
import type { Authority, CertificatePair } from './authority.ts'
import { reasonOf } from './reason.ts'

/** How it is proven here that the name is this server's. */
const CHALLENGE = 'tls-alpn-01'

/** Between two looks at whether the authority has decided: 0.5 s at first, then ever longer. */
const POLLING = { backoffAttempts: 20, backoffMin: 500, backoffMax: 10_000 } as const

/** An authority that says nothing for so long is not there: 30 s. */
const SILENCE = 30_000

/** An authority that says something now and then, and comes to no end: 15 min. */
const PATIENCE = 900_000

/** How much of an answer is read: 1 MiB. */
const MAX_ANSWER = 1 << 20

// It would wait for silence without end, and come again five times where the one who asks comes again anyway.
axios.defaults.timeout = SILENCE
axios.defaults.maxContentLength = MAX_ANSWER
Object.assign(axios.defaults, { acmeSettings: { retryMaxAttempts: 1, retryDefaultDelay: 5 } })

/** What is wanted. */
export interface Order {
  readonly hostname: string
  readonly authority: Authority
  /** Returns the key of the account, PEM; it is made once and kept. */
  readonly accountKey: (make: () => Promise<string>) => Promise<string>
  /** Presents this certificate to who asks for `acme-tls/1`; nothing when it is over. */
  readonly answer: (challenge: CertificatePair | undefined) => Promise<void>
  /** Milliseconds after which an authority that comes to no end is given up; 15 minutes unless given. */
  readonly patience?: number
}

/** Obtains a certificate. Rejects with the authority's words when there is none to be had. */
export async function obtainCertificate(order: Order): Promise<CertificatePair> {
  await reach(order.authority)
  try {
    return await within(order.patience ?? PATIENCE, ask(order))
  } catch (error) {
    // The library trips over answers that never came.
    if (error instanceof TypeError) throw new Error('the authority stopped answering', { cause: error })
    throw error
  }
}

async function reach({ directoryUrl }: Authority): Promise<void> {
  try {
    await (await fetch(directoryUrl, { signal: AbortSignal.timeout(SILENCE) })).body?.cancel()
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    throw new Error(`the authority cannot be reached: ${reasonOf(why)}`, { cause })
  }
}

// What is asked goes on behind it; the library cannot be stopped.
async function within<T>(duration: number, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const end = sleep(duration, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error('the authority comes to no end')
  })
  return Promise.race([work, end]).finally(() => over.abort())
}

async function ask({ hostname, authority, accountKey, answer }: Order): Promise<CertificatePair> {
  const client = new Client({
    directoryUrl: authority.directoryUrl,
    accountKey: await accountKey(async () => (await crypto.createPrivateEcdsaKey()).toString()),
    ...(authority.account === undefined ? {} : { externalAccountBinding: authority.account }),
    ...POLLING,
  })
  const [key, csr] = await crypto.createCsr({ altNames: [hostname] }, await crypto.createPrivateEcdsaKey())
  const cert = await client.auto({
    csr,
    ...(authority.email === undefined ? {} : { email: authority.email }),
    termsOfServiceAgreed: true,
    challengePriority: [CHALLENGE],
    // The authority will look; from in here the name may lead elsewhere.
    skipChallengeVerification: true,
    challengeCreateFn: async (authorization, { type }: { readonly type: string }, proof) => {
      if (type !== CHALLENGE) throw new Error(`the authority wants a proof by ${type}, not by ${CHALLENGE}`)
      const [challengeKey, challenge] = await crypto.createAlpnCertificate(authorization, proof)
      await answer({ key: challengeKey.toString(), cert: challenge.toString() })
    },
    challengeRemoveFn: () => answer(undefined),
  })
  return { key: key.toString(), cert }
}
