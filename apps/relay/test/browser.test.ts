// The browser's client in a real browser: the modules as they are, their types stripped, in headless Chromium, against the
// program.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { scratch, startServing } from './support.ts'

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
)
if (chromium === undefined) console.log('skipped: the client in a browser, because no Chromium is installed')

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

const noble = (name: string, user: string): Record<string, string> => ({
  [`@noble/${name}/`]: `/packages/${user}/node_modules/@noble/${name}/`,
})
const IMPORTS = {
  '@mesh/derp-client/browser': '/packages/derp-client/src/browser/index.ts',
  '@mesh/keys': '/packages/keys/src/index.ts',
  '@mesh/sansio': '/packages/sansio/src/index.ts',
  '@mesh/sansio/browser': '/packages/sansio/src/browser/index.ts',
  '@mesh/wire/derp': '/packages/wire/src/derp/index.ts',
  '@mesh/wire/ip': '/packages/wire/src/ip/index.ts',
  ...noble('ciphers', 'keys'),
  ...noble('curves', 'keys'),
  ...noble('hashes', 'noise'),
}
/** A module that nothing in the map leads to would leave the page without a word. */
const REPORT_ERROR = `addEventListener('error', ({ message: failure }) =>
  fetch('/report', { method: 'POST', body: JSON.stringify({ failure }) }),
)`
const PAGE = `<!doctype html>
<link rel="icon" href="data:,">
<script>${REPORT_ERROR}</script>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module" src="/apps/relay/test/browser/page.ts"></script>
`

/** Serves the page and its modules; resolves with what the page reports. */
async function servePage(
  tasks: readonly object[],
): Promise<AsyncDisposable & { url: string; report: Promise<unknown> }> {
  let take: (report: unknown) => void
  const report = new Promise((resolve) => {
    take = resolve
  })
  const send = (response: ServerResponse, type: string, body: string): void =>
    void response.writeHead(200, { 'Content-Type': type }).end(body)
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? '/'
    if (path === '/') return send(response, 'text/html', PAGE)
    if (path === '/tasks') return send(response, 'application/json', JSON.stringify(tasks))
    if (path === '/report') {
      const parts = (await request.toArray()) as Buffer[]
      take(JSON.parse(Buffer.concat(parts).toString('utf8')))
      return send(response, 'text/plain', '')
    }
    const source = readFileSync(`${ROOT}${path}`, 'utf8')
    return send(response, 'text/javascript', path.endsWith('.ts') ? stripTypeScriptTypes(source) : source)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      take({ failure: String(error) })
      response.writeHead(404).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    report,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test.skipIf(chromium === undefined)(
  'C1: in Chromium packets cross a relay by WebSocket, with and without TLS, and a departure is told',
  async () => {
    const args = ['--dev', '--a', '127.0.0.1:0', '--stun=false']
    await using plain = await startServing(...args)
    await using secure = await startServing(...args, '--certmode=self-signed', '--http-port=-1')
    await using page = await servePage([{ region: plain.region, plain: true }, { region: secure.region }])
    using profile = scratch()
    const browser = spawn(
      chromium!,
      [
        ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
        // A page cannot pin a certificate: this stands for an authority that the browser knows.
        ...['--ignore-certificate-errors', `--user-data-dir=${profile.path}`, page.url],
      ],
      { stdio: 'ignore' },
    )
    const ended = once(browser, 'exit').then(() => ({ failure: 'the browser ended' }))
    try {
      const met = { received: [1, 1_280, 65_536], reason: 0 }
      expect(await Promise.race([page.report, ended])).toEqual({
        agent: expect.stringContaining('Chrom') as string,
        results: [met, met],
      })
    } finally {
      browser.kill('SIGTERM')
      await ended
    }
  },
)
