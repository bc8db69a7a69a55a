// Identity tokens: a node shows to somebody else, a cloud or a vault, that it is this node, by a JWT that this server signed
// (control §3.10) and whose public key anybody can fetch (OpenID Connect Discovery 1.0). The key is worked out of the
// server's own, so that all servers of a network sign with the same one, and there is nothing more to keep or to back up.

import type { NodeStatus } from '../admin.ts'
import { createECDH, hkdfSync } from 'node:crypto'
import { calculateJwkThumbprint, importJWK, type JWK, SignJWT } from 'jose'

/** How long a token is good, seconds. */
export const ID_TOKEN_LIFETIME = 300
/** ES256: what clouds take, with signatures of 64 bytes. */
const ALGORITHM = 'ES256'
/** The order of P-256 (FIPS 186-5). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** 128 bits more than the key has, so that the remainder favours no key. */
const SEED_LENGTH = 48

/** Where the keys are. */
export const KEYS_PATH = '/.well-known/jwks.json'
/** Where this is described. */
export const CONFIGURATION_PATH = '/.well-known/openid-configuration'

/** What a token says of its node. */
export interface IdClaims {
  /** The token's subject: the network and the node's full name. */
  readonly sub: string
  readonly [name: string]: unknown
}

/** Returns what a token says of a node. The domain in its subject is the network's. */
export function idClaims({ node, dnsName, userName }: NodeStatus): IdClaims {
  const domain = dnsName.slice(node.givenName.length + 1)
  return {
    sub: `${domain}:${dnsName}`,
    key: node.nodeKey,
    addresses: [`${node.ipv4}/32`, `${node.ipv6}/128`],
    nid: node.id,
    node: dnsName,
    domain,
    ...(node.tags.length > 0 ? { tags: node.tags } : {}),
    ...(node.user === undefined ? {} : { user: userName, uid: node.user }),
  }
}

/** Signs tokens. */
export interface IdTokens {
  /** Returns a token for an audience. */
  sign(claims: IdClaims, audience: string): Promise<string>
  /** The documents under {@link KEYS_PATH} and {@link CONFIGURATION_PATH}, by path. */
  readonly documents: ReadonlyMap<string, object>
}

/** A key that signs, and its public half as others fetch it. */
export interface IdKey {
  readonly kid: string
  readonly key: Awaited<ReturnType<typeof importJWK>>
  readonly open: JWK
}

/** Returns the key that goes with a server's private key, 32 bytes. */
export async function loadIdKey(serverKey: Uint8Array): Promise<IdKey> {
  const whole = signingKey(serverKey)
  const { kty, crv, x, y } = whole
  const kid = await calculateJwkThumbprint({ kty, crv, x, y } as JWK)
  const open = { kty, crv, x, y, kid, alg: ALGORITHM, use: 'sig' } as JWK
  return { kid, key: await importJWK(whole, ALGORITHM), open }
}

/**
 * Returns what signs in the name of a server.
 *
 * @param issuer - The address clients know the server by.
 */
export function makeIdTokens({ kid, key, open }: IdKey, issuer: string): IdTokens {
  const configuration = {
    issuer,
    jwks_uri: issuer + KEYS_PATH,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [ALGORITHM],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'exp',
      'iat',
      'nbf',
      'jti',
      'key',
      'addresses',
      'nid',
      'node',
      'domain',
      'tags',
      'user',
      'uid',
    ],
  }
  return {
    sign: (claims, audience) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setNotBefore('0s')
        .setExpirationTime(`${ID_TOKEN_LIFETIME}s`)
        .setJti(crypto.randomUUID())
        .sign(key),
    documents: new Map<string, object>([
      [KEYS_PATH, { keys: [open] }],
      [CONFIGURATION_PATH, configuration],
    ]),
  }
}

function signingKey(serverKey: Uint8Array): JWK {
  const seed = Buffer.from(hkdfSync('sha256', serverKey, '', 'mesh control id-token ES256', SEED_LENGTH))
  const scalar = (BigInt(`0x${seed.toString('hex')}`) % (ORDER - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(d)
  const point = curve.getPublicKey()
  const part = (from: number): string => point.subarray(from, from + 32).toString('base64url')
  return { kty: 'EC', crv: 'P-256', x: part(1), y: part(33), d: d.toString('base64url') }
}
