import type { ClientHttp2Session } from 'node:http2'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { afterEach, expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { type ControlListener, type ControlOptions, ID_TOKEN_LIFETIME } from '../../src/node/index.ts'
import { post, RawMachine } from './raw-client.ts'

const open: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

async function listen(options: Partial<ControlOptions> = {}): Promise<ControlListener> {
  const control = await startControl(options)
  open.push(() => control.close())
  return control
}

async function joined(control: ControlListener, name: string): Promise<[RawMachine, ClientHttp2Session]> {
  await control.admin({ verb: 'users create', name })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: name })
  const machine = new RawMachine()
  const session = await machine.connect(control.url)
  session.on('error', () => undefined)
  open.push(() => session.destroy())
  await machine.register(session, { Auth: { AuthKey: key } })
  return [machine, session]
}

async function tokenOf(session: ClientHttp2Session, body: object): Promise<[number, string]> {
  const reply = await post(session, '/machine/id-token', body)
  const text = reply.body.toString()
  return [reply.status, reply.status === 200 ? (JSON.parse(text) as { id_token: string }).id_token : text]
}

/** As anybody would: from the issuer's address to its keys. */
async function verify(issuer: string, token: string, audience: string): ReturnType<typeof jwtVerify> {
  const configuration = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
  const { issuer: said, jwks_uri } = configuration as { issuer: string; jwks_uri: string }
  return jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), { issuer: said, audience })
}

test('a node shows anybody who it is by a token that its server signed', async () => {
  const control = await listen()
  const [{ nodeKey }, session] = await joined(control, 'ann')
  const [status, token] = await tokenOf(session, { CapVersion: 138, NodeKey: nodeKey, Audience: 'vault' })
  expect(status).toBe(200)
  const { payload, protectedHeader } = await verify(control.url, token, 'vault')
  expect(protectedHeader).toMatchObject({ alg: 'ES256', kid: expect.any(String) as unknown })
  expect(payload).toMatchObject({
    iss: control.url,
    aud: 'vault',
    sub: 'mesh.internal:box.mesh.internal',
    key: nodeKey,
    addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::40:1/128'],
    nid: 1,
    node: 'box.mesh.internal',
    domain: 'mesh.internal',
    user: 'ann',
    uid: 1,
  })
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(ID_TOKEN_LIFETIME)
  await expect(verify(control.url, token, 'another')).rejects.toMatchObject({
    code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  })
  const forged = `${token.slice(0, -6)}${token.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA'}`
  await expect(verify(control.url, forged, 'vault')).rejects.toMatchObject({
    code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  })
})

test('invariant 1: nobody gets a token of another node, nor one for nobody', async () => {
  const control = await listen()
  const [victim] = await joined(control, 'ann')
  const [thief, session] = await joined(control, 'eve')
  expect((await tokenOf(session, { NodeKey: victim.nodeKey, Audience: 'vault' }))[0]).toBe(404)
  for (const Audience of [undefined, '', 7, 'x'.repeat(600)])
    expect((await tokenOf(session, { NodeKey: thief.nodeKey, Audience }))[0]).toBe(400)
})

test('invariant 1: a node that takes no part shows nobody who it is, and publishes nothing', async () => {
  const control = await listen({ certificates: true })
  const [{ nodeKey }, session] = await joined(control, 'ann')
  const name = '_acme-challenge.box.mesh.internal'
  const record = { NodeKey: nodeKey, Name: name, Type: 'TXT', Value: 'x'.repeat(43) }
  const answers = async (): Promise<number[]> => [
    (await tokenOf(session, { NodeKey: nodeKey, Audience: 'vault' }))[0],
    (await post(session, '/machine/set-dns', record)).status,
  ]
  expect(await answers()).toEqual([200, 200])
  await control.admin({ verb: 'nodes expire', node: '1' })
  expect(await answers()).toEqual([403, 403])
})

test('a node that publishes without end is told to wait', async () => {
  const control = await listen({ certificates: true })
  const [{ nodeKey }, session] = await joined(control, 'ann')
  const publish = (i: number): Promise<{ status: number }> => {
    const record = { NodeKey: nodeKey, Name: '_acme-challenge.box.mesh.internal', Type: 'TXT' }
    return post(session, '/machine/set-dns', { ...record, Value: `${i}`.padEnd(43, '_') })
  }
  const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => publish(i)))
  expect(replies.filter(({ status }) => status === 429)).toHaveLength(10)
})

test('servers with one key sign with one key, and it is not that of another server', async () => {
  const privateKey = generatePrivateKey(systemRandom)
  const keysOf = async (control: ControlListener): Promise<unknown> =>
    (await fetch(`${control.url}/.well-known/jwks.json`)).json()
  const [one, two, other] = [await listen({ privateKey }), await listen({ privateKey }), await listen()]
  expect(await keysOf(one)).toEqual(await keysOf(two))
  expect(await keysOf(other)).not.toEqual(await keysOf(one))
  expect(JSON.stringify(await keysOf(one))).not.toContain('"d"')
  const [{ nodeKey }, session] = await joined(one, 'ann')
  const [, token] = await tokenOf(session, { NodeKey: nodeKey, Audience: 'vault' })
  const keys = createRemoteJWKSet(new URL(`${two.url}/.well-known/jwks.json`))
  await expect(jwtVerify(token, keys)).resolves.toMatchObject({ payload: { iss: one.url } })
  await expect(
    jwtVerify(token, createRemoteJWKSet(new URL(`${other.url}/.well-known/jwks.json`))),
  ).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
  expect(decodeJwt(token).jti).toMatch(/^[0-9a-f-]{36}$/)
})
