// What an authority that is broken, or somebody else's, can do: nothing to the certificate that works, and nothing for long.
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceFile } from '@mesh/sansio/node'
import { crypto } from 'acme-client'
import { expect, test } from 'vitest'
import { type CertificatePair, keptCertificate } from '../../src/node/index.ts'
import { Keeper } from '../../src/node/keeper.ts'
import { obtainCertificate } from '../../src/node/obtain.ts'
import { reasonOf } from '../../src/node/reason.ts'
import { startHostileAuthority, type Ways } from './hostile-authority.ts'

const NAME = 'relay.example'

async function certificateFor(name: string): Promise<CertificatePair> {
  const authorization = { identifier: { type: 'dns', value: name } } as never
  const [key, cert] = await crypto.createAlpnCertificate(authorization, 'x')
  return { key: key.toString(), cert: cert.toString() }
}

/** Asks such an authority with a folder of the test's own. */
async function setUp(ways: Ways) {
  const authority = await startHostileAuthority(ways)
  const directory = mkdtempSync(join(tmpdir(), 'mesh-acme-'))
  const said: string[] = []
  const server = { setCertificate: () => undefined, setChallenge: () => Promise.resolve() }
  const order = { hostname: NAME, directory, authority: { directoryUrl: authority.directoryUrl } }
  return {
    authority,
    order,
    said,
    path: join(directory, `${NAME}.acme.pem`),
    keeper: new Keeper({ ...order, server, say: (line) => said.push(line) }),
    async [Symbol.asyncDispose]() {
      rmSync(directory, { recursive: true })
      await authority[Symbol.asyncDispose]()
    },
  }
}

function obtain(directoryUrl: string, patience?: number): Promise<CertificatePair> {
  return obtainCertificate({
    hostname: NAME,
    authority: { directoryUrl },
    accountKey: (make) => make(),
    answer: () => Promise.resolve(),
    ...(patience === undefined ? {} : { patience }),
  })
}

test('threat 8: a certificate for another key does not take the place of one that is kept', async () => {
  const { cert } = await certificateFor(NAME)
  await using its = await setUp({ certificate: cert })
  await expect(its.keeper.look()).rejects.toThrow('no certificate for the key that was asked for')
  expect([keptCertificate(its.order), its.said]).toEqual([undefined, []])
})

test.each(['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
  'what is no certificate is not kept: %j',
  async (certificate) => {
    await using its = await setUp({ certificate })
    const kept = await certificateFor('old.example')
    replaceFile(its.path, kept.key + kept.cert)
    const before = readFileSync(its.path, 'utf8')
    await expect(its.keeper.look()).rejects.toThrow(/authority/)
    expect(readFileSync(its.path, 'utf8')).toBe(before)
  },
)

test('an authority that does not offer tls-alpn-01 is not asked to look for another proof', async () => {
  const challenges = [{ type: 'http-01', url: 'http://127.0.0.1:1/', token: 'token', status: 'pending' }]
  await using its = await setUp({ challenges })
  await expect(obtain(its.authority.directoryUrl)).rejects.toThrow(
    'the authority wants a proof by http-01, not by tls-alpn-01',
  )
})

test('an answer without end is read up to a bound', async () => {
  let sent = 0
  await using its = await setUp({
    instead: (path, response) => {
      if (path !== '/order') return false
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 32))) sent += 65_536
        if (!response.destroyed) response.once('drain', more)
      }
      response.writeHead(201, { 'Replay-Nonce': 'nonce' })
      more()
      return true
    },
  })
  await expect(obtain(its.authority.directoryUrl, 1_000)).rejects.toThrow('the authority comes to no end')
  expect(sent).toBeLessThan(32 << 20)
})

test('an authority that says a byte now and then and comes to no end is given up', async () => {
  await using its = await setUp({
    instead: (path, response) => {
      if (path !== '/order') return false
      response.writeHead(201, { 'Replay-Nonce': 'nonce' })
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
      return true
    },
  })
  await expect(obtain(its.authority.directoryUrl, 500)).rejects.toThrow('the authority comes to no end')
})

test('a certificate that cannot be written down is used, and written later, not asked for again', async () => {
  await using its = await setUp({})
  const used: CertificatePair[] = []
  let asked = 0
  const server = {
    setCertificate: (pair: CertificatePair) => used.push(pair),
    setChallenge: () => Promise.resolve(),
  }
  const given = await certificateFor(NAME)
  const keeper = new Keeper({ ...its.order, server, say: () => undefined }, () => {
    asked += 1
    return Promise.resolve(given)
  })
  const inTheWay = `${its.path}.${process.pid}.new`
  mkdirSync(inTheWay)
  await expect(keeper.look()).rejects.toThrow(inTheWay)
  await expect(keeper.look()).rejects.toThrow(inTheWay)
  expect([used, asked, keptCertificate(its.order)]).toEqual([[given], 1, undefined])
  expect(keeper.hasUnwritten).toBe(true)
  rmdirSync(inTheWay)
  // Those that this library makes are valid for a moment.
  await expect(keeper.look()).rejects.toThrow('it is due to be renewed already')
  expect([asked, keptCertificate(its.order)?.cert.trim()]).toEqual([1, given.cert.trim()])
  expect(keeper.hasUnwritten).toBe(false)
})

test('what an authority says is one line that steers no terminal', async () => {
  await using its = await setUp({
    instead: (path, response) => {
      if (path !== '/order') return false
      response.writeHead(400, { 'Replay-Nonce': 'nonce', 'Content-Type': 'application/problem+json' })
      response.end(JSON.stringify({ detail: `no\r\u001b[2J\u009b ${'x'.repeat(5_000)}` }))
      return true
    },
  })
  const error: unknown = await obtain(its.authority.directoryUrl).catch((cause: unknown) => cause)
  expect(reasonOf(error)).toMatch(/^no \[2J +x{400,500}$/)
})
