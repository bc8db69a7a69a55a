// What the program is told by its command line, the environment and a file.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, describe, expect, test } from 'vitest'
import { applySettings } from '../src/apply-settings.ts'
import { configtest } from '../src/configtest.ts'
import type { ServeFlags } from '../src/serve-flags.ts'
import { flagOf } from '../src/setting.ts'
import { SERVE_SETTINGS } from '../src/settings-table.ts'

const folder = mkdtempSync(join(tmpdir(), 'mesh-settings-'))
const FILE = join(folder, 'control.yaml')
const ALL = SERVE_SETTINGS.flatMap(({ settings }) => settings)

afterAll(() => rmSync(folder, { recursive: true }))

function told(
  contents: string,
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): ServeFlags {
  writeFileSync(FILE, contents)
  const verb = new Command().exitOverride()
  for (const setting of ALL) verb.addOption(flagOf(setting))
  verb.parse(['--config', FILE, ...args], { from: 'user' })
  applySettings(verb, ALL, environment)
  return verb.opts()
}

describe('a file', () => {
  test('says what flags say, in YAML', () => {
    const flags = told(`
# where it listens
listen: 127.0.0.1:8443
server-url: https://control.example/
node-expiry: 90d
embedded-relay: yes
nameserver: 9.9.9.9
relay:
  - https://a.example
  - https://b.example,stun=off
split-dns:
  corp.example: [10.0.0.53, 10.0.1.53]
  lab.example: 10.0.2.53
dns-record: { grafana.mesh.internal: "fd7a::3" }
`)
    expect(flags).toMatchObject({
      listen: { host: '127.0.0.1', port: 8443 },
      serverUrl: 'https://control.example',
      nodeExpiry: 7_776_000_000,
      embeddedRelay: true,
      nameserver: ['9.9.9.9'],
      relay: [{ host: 'a.example' }, { host: 'b.example', stunPort: -1 }],
      splitDns: [
        { domain: 'corp.example', resolver: '10.0.0.53' },
        { domain: 'corp.example', resolver: '10.0.1.53' },
        { domain: 'lab.example', resolver: '10.0.2.53' },
      ],
      dnsRecord: [{ name: 'grafana.mesh.internal', address: 'fd7a::3' }],
    })
  })

  test('says it in HuJSON, with comments and commas too many', () => {
    const flags = told(
      '// ours\n{\n\t"verbose": true, /* for\nnow */\n\t"nameserver": ["9.9.9.9", "https://dns.example/q"],\n}\n',
    )
    expect(flags).toMatchObject({ verbose: true, nameserver: ['9.9.9.9', 'https://dns.example/q'] })
  })

  test.each(['', '# nothing', '{}', '// nothing\n{}'])('of %j changes nothing', (contents) => {
    expect(told(contents)).toEqual({ ...told(''), config: FILE })
  })

  test('may hold every setting but the one that names it', () => {
    const refused = ALL.filter(({ key }) => {
      try {
        told(`${key}: []`)
        return false
      } catch (error) {
        return String(error).includes('There is no setting')
      }
    })
    expect(refused.map(({ key }) => key)).toEqual(['config'])
  })

  test.each([
    ['verbos: true', '1: There is no setting "verbos": did you mean verbose.'],
    ['verbose: true\n\nserver_url: x', '3: There is no setting "server_url": did you mean server-url.'],
    ['nothing-like-it: 1', '1: There is no setting "nothing-like-it".'],
    ['{\n // x\n "listen": 1\n}', '3: listen: Write it as 127.0.0.1:8080 or [::1]:8080.'],
    ['nameserver: 1\nrelay:\n  - https://a\n  - nowhere', '4: relay: Write it as https://relay.example'],
    ['listen:', '1: listen has no value that a flag could have.'],
    ['listen: {a: {b: 1}}', '1: listen: Write it as'],
    ['listen: [a, b]', '1: listen takes one value, not several.'],
    ['verbose: maybe', '1: verbose: Write true or false.'],
    ['verbose: true\nverbose: false', '2: Map keys must be unique.'],
    ['a: [', '1: '],
    ['{"a": 1', '1: '],
    ['- a', '1: The file must hold keys and values.'],
    ['__proto__: 1', '1: There is no setting "__proto__".'],
  ])('%j is answered with its line', (contents, sentence) => {
    expect(() => told(contents)).toThrow(`control.yaml:${sentence}`)
  })

  test('threat 34: aliases, which could grow without end, are no values', () => {
    const layers = Array.from({ length: 20 }, (_, i) => `x${i}: &x${i} [${`*x${i - 1}, `.repeat(20)}a]`)
    const bomb = ['x: &x-1 [a]', ...layers, 'search-domain: *x19'].join('\n')
    expect(() => told(bomb)).toThrow('control.yaml:22: search-domain has no value that a flag could have.')
  })

  test('hears of everything that is wrong at once', () => {
    expect(() => told('verbos: 1\nlisten: x\nnode-expiry: soon')).toThrow(/:1: .*\n.*:2: .*\n.*:3: /)
  })

  test('threat 7: is not quoted where a password may be', () => {
    expect(() => told('database: "postgres:/u:hunter2@h"')).toThrow(
      /^(?!.*hunter2).*postgres:\/\/user:password@/s,
    )
  })
})

describe('the environment', () => {
  test('wins over the file, and the command line over both', () => {
    const file = 'base-domain: file.example\nnameserver: [1.1.1.1]'
    const environment = {
      MESH_CONTROL_BASE_DOMAIN: 'env.example',
      MESH_CONTROL_NAMESERVER: '9.9.9.9 8.8.8.8',
    }
    expect(told(file, [], environment)).toMatchObject({
      baseDomain: 'env.example',
      nameserver: ['9.9.9.9', '8.8.8.8'],
    })
    const args = ['--base-domain', 'flag.example', '--nameserver', '7.7.7.7', '--override-local-dns=false']
    expect(told(file, args, environment)).toMatchObject({
      baseDomain: 'flag.example',
      nameserver: ['7.7.7.7'],
      overrideLocalDns: false,
    })
  })

  test('is checked like everything else, by its own name', () => {
    expect(() => told('', [], { MESH_CONTROL_LISTEN: 'x' })).toThrow('MESH_CONTROL_LISTEN: Write it as')
    expect(told('', [], { MESH_CONTROL_LISTEN: '' }).listen).toEqual({ host: '127.0.0.1', port: 8080 })
  })
})

describe('configtest', () => {
  test('finds what serve would find, and makes nothing', () => {
    const state = join(folder, 'state')
    const flags = (contents: string): ServeFlags => told(`state-dir: ${state}\n${contents}`)
    configtest(flags('embedded-relay: true'))
    expect(existsSync(state)).toBe(false)
    const before = readdirSync(folder)
    expect(() => configtest(flags('tls-cert: /none'))).toThrow('go together')
    expect(() => configtest(flags('listen: 0.0.0.0:1'))).toThrow('say by --server-url')
    expect(() => configtest(flags('base-domain: x_y'))).toThrow('cannot be the base domain')
    expect(() => configtest(flags('nameserver: nobody'))).toThrow('The resolver "nobody" is no address')
    expect(() => configtest(flags('split-dns: {__proto__: 10.0.0.1}'))).toThrow('"__proto__" is no name')
    expect(() => configtest(flags('derp-map: /none'))).toThrow('/none cannot be read')
    writeFileSync(join(folder, 'key'), 'nonsense')
    expect(() => configtest(flags(`private-key: ${join(folder, 'key')}`))).toThrow(
      'does not hold a private key',
    )
    expect(readdirSync(folder)).toEqual([...before, 'key'].toSorted())
  })
})
