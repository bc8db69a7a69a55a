// What a shell is told when somebody presses the tab key; that the scripts work in shells is shown where they were first used
// (apps/control).
import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Workshop } from './support.ts'

const STATUS = {
  MagicDNSSuffix: 'mesh.internal',
  Peer: {
    one: { DNSName: 'b.mesh.internal.', TailscaleIPs: ['100.64.0.2', 'fd7a:115c:a1e0::2'] },
    two: { DNSName: 'guest.other.example.', TailscaleIPs: ['100.64.0.3'] },
  },
}

let shop: Workshop
let daemon: Server
beforeEach(async () => {
  shop = new Workshop()
  daemon = createServer((request, response) => {
    if (request.url === '/localapi/v0/status') response.end(JSON.stringify(STATUS))
  })
  await new Promise<void>((resolve) => {
    daemon.listen(shop.path('s'), resolve)
  })
})
afterEach(async () => {
  daemon.closeAllConnections()
  daemon.close()
  await shop.close()
})

/** The words that may come next, without what explains them. */
async function next(...words: string[]): Promise<readonly string[]> {
  const { stdout } = await shop.run('mesh', 'complete', '--', ...words)
  return stdout
    .split('\n')
    .flatMap((line) => (line === '' || line.startsWith(':') ? [] : (line.split('\t')[0] ?? [])))
}

test('verbs, flags and their choices are completed', async () => {
  expect(await next('st')).toEqual(['status'])
  expect(await next('status', '--a')).toEqual(['--active'])
  expect(await next('netcheck', '--format', '')).toEqual(['json', 'json-line'])
})

test('machines are completed by name where a verb takes one, and by address for whois', async () => {
  const socket = ['--socket', shop.path('s')]
  for (const verb of ['ping', 'explain', 'ip'])
    expect(await next(...socket, verb, '')).toEqual(['b', 'guest.other.example'])
  expect(await next(...socket, 'ping', 'g')).toEqual(['guest.other.example'])
  expect(await next(...socket, 'whois', 'fd')).toEqual(['fd7a:115c:a1e0::2'])
})

test('without a daemon, or with one that does not answer, nothing is completed and nothing said', async () => {
  daemon.removeAllListeners('request')
  for (const socket of [shop.path('nowhere'), shop.path('s')]) {
    const { code, stderr } = await shop.run('mesh', 'complete', '--', '--socket', socket, 'ping', '')
    expect([code, stderr]).toEqual([0, ''])
  }
})

test.each(['bash', 'zsh', 'fish'])('has a script for %s', async (shell) => {
  const { code, stdout } = await shop.run('mesh', 'completion', shell)
  expect([code, stdout.includes('mesh complete -- ')]).toEqual([0, true])
})
