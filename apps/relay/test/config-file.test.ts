// The file that --config names: its keys are the flags, the command line wins, and each complaint says in which line.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Failure } from '../src/failure.ts'
import { flags } from '../src/flags.ts'
import { readSettings } from '../src/settings.ts'
import { run, scratch, startServing } from './support.ts'

function settingsOf(contents: string, ...args: string[]): ReturnType<typeof readSettings> {
  using folder = scratch()
  writeFileSync(folder.file('relay.yaml'), contents)
  return readSettings(['--config', folder.file('relay.yaml'), ...args], '1')
}

test('a file says what flags say, in YAML or JSON, lists as lists or with commas', () => {
  const yaml = settingsOf(`
# the port is a number, the address is not
a: 127.0.0.1:8443
http-port: -1
stun: false
hostname: relay.example
certmode: manual
tcp-write-timeout: 1m30s
mesh-psk-file: /etc/mesh.key
mesh-with:
  - a.example
  - b.example:8443
accept-connection-limit: 2.5
`)
  expect(yaml).toMatchObject({
    a: { host: '127.0.0.1', port: 8_443 },
    httpPort: -1,
    stun: false,
    secure: true,
    hostname: 'relay.example',
    certmode: 'manual',
    tcpWriteTimeout: 90_000,
    meshWith: [{ host: 'a.example' }, { host: 'b.example', port: 8_443 }],
    acceptConnectionLimit: 2.5,
  })
  expect(settingsOf('{"a": ":80", "bootstrap-dns-names": "a.example,b.example"}')).toMatchObject({
    a: { host: '', port: 80 },
    bootstrapDnsNames: ['a.example', 'b.example'],
    secure: false,
  })
  expect(settingsOf('')).toMatchObject({ a: { host: '', port: 443 }, stunPort: 3_478 })
})

test('the command line wins over the file', () => {
  expect(settingsOf('stun-port: 1\nstun: false', '--stun-port', '2', '-stun')).toMatchObject({
    stunPort: 2,
    stun: true,
  })
})

test('every flag may be in the file, but those that speak of the file and of the program', () => {
  const names = flags('1').options.flatMap(({ long }) => (long == null ? [] : [long.slice(2)]))
  expect(names.length).toBeGreaterThan(25)
  const refused = names.filter((name) => {
    try {
      settingsOf(`${name}: []`)
      return false
    } catch (error) {
      return String(error).includes('there is no setting')
    }
  })
  expect(refused).toEqual(['version', 'config', 'configtest'])
})

test.each([
  ['a key that is none', 'stun: true\nstunn: 1', '2: there is no setting "stunn"'],
  ['a value that no flag takes', '\n\nstun-port: many', '3: stun-port: A port is a number from 0 to 65535'],
  ['a choice that is none', 'certmode: magic', '1: certmode: Allowed choices are'],
  ['a key without a value', 'hostname:', '1: hostname has no value that a flag could have'],
  ['a map for a value', 'hostname: {a: 1}', '1: hostname has no value that a flag could have'],
  ['a key twice', 'stun: true\nstun: false', '2: Map keys must be unique'],
  ['no YAML', 'a: [', '1: '],
  ['a list', '- a', '1: the file must hold keys and values'],
])('%s is answered with one sentence that says the line', (_what, contents, sentence) => {
  expect(() => settingsOf(contents)).toThrow(Failure)
  expect(() => settingsOf(contents)).toThrow(`relay.yaml:${sentence}`)
})

test('--configtest says whether all is good, with a file that is not there as with one that is, and serves nothing', async () => {
  using folder = scratch()
  const file = folder.file('relay.yaml')
  const missing = await run('--config', file, '--configtest')
  expect(missing.code).toBe(2)
  expect(missing.stderr).toMatch(/^mesh-relay: The config file .*relay\.yaml cannot be read: ENOENT.*\.\n$/)
  writeFileSync(file, 'dev: true\na: 127.0.0.1:0\ncertmode: manual\ncertdir: /nowhere\n')
  const broken = await run('--config', file, '--configtest')
  expect([broken.code, broken.stderr]).toEqual([1, 'mesh-relay: There is no /nowhere/127.0.0.1.crt.\n'])
  writeFileSync(file, 'dev: true\na: 127.0.0.1:0\nstun: false\n')
  expect(await run('--config', file, '--configtest')).toEqual({
    code: 0,
    stdout: 'mesh-relay configuration is good\n',
    stderr: '',
  })
  await using relay = await startServing('--config', file)
  expect(relay.url).toMatch(/^http:/)
})

test('--configtest makes none of the files that the relay would make, and says when one cannot be made', async () => {
  using folder = scratch()
  const keptIn = (path: string): string[] => [
    ...['-c', `${path}/relay.json`, '--hostname', 'relay.example', '--a', '127.0.0.1:0'],
    ...['--certmode', 'self-signed', '--configtest'],
  ]
  expect((await run(...keptIn(folder.file('new')))).code).toBe(0)
  expect(existsSync(folder.file('new'))).toBe(false)
  const impossible = await run(...keptIn('/proc/1/new'))
  expect([impossible.code, impossible.stdout]).toEqual([1, ''])
  expect(impossible.stderr).toMatch(/^mesh-relay: .* cannot be .*\.\n$/)
})

test('the example file of the README is good', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(readme) ?? []
  expect(settingsOf(example)).toMatchObject({ hostname: 'relay.example', secure: true })
})
