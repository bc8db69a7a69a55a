// The first command of the README, as a user runs it.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'mesh-demo-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const DEMO = fileURLToPath(new URL('../src/demo.ts', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']

function demo(...args: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...FLAGS, DEMO, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr })
    })
  })
}

function addresses(output: string): string[] {
  return [...output.matchAll(/node ([ab]) up +(\S+)/g)]
    .map(([, name, address]) => `${name} ${address}`)
    .sort()
}

test('shows two nodes reaching each other, relayed and directly, and finds them again', async () => {
  const first = await demo('--once', '--dir', directory)
  expect(first.output).toMatch(/✔ relayed round trip +pong from b \(100\.\S+\) via DERP\(mesh\) in/)
  expect(first.output).toMatch(/✔ direct round trip +pong from b \(100\.\S+\) via 127\.0\.0\.1:\d+ in/)
  expect(first.output).toMatch(/✔ next echo through the tunnel/)
  expect(first.code).toBe(0)

  const second = await demo('--once', '--dir', directory)
  expect(second.code).toBe(0)
  expect(second.output).toContain('found again')
  expect(addresses(second.output)).toEqual(addresses(first.output))
  expect(addresses(first.output)).toEqual(['a 100.64.0.1', 'b 100.64.0.2'])
})

test('keeps keys in files for the owner alone (threat 8)', () => {
  for (const name of ['a.state', 'b.state', 'auth.key'])
    expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory).filter((name) => name.endsWith('.sock'))).toEqual([])
})

test('writes no secret into any log (threat 7)', () => {
  const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
  const secrets = ['a.state', 'b.state', 'relay/relay.key', 'control/private.key', 'auth.key'].flatMap(
    (name) => [...read(name).matchAll(/[0-9a-f]{64}|(?<=-)[\w-]{24,}$/gm)],
  )
  expect(secrets.length).toBeGreaterThanOrEqual(5)
  const logs = readdirSync(join(directory, 'log')).map((name) => read(join('log', name)))
  for (const [secret] of secrets) expect(logs.some((log) => log.includes(secret))).toBe(false)
})

test('forgets everything with --reset', async () => {
  const again = await demo('--once', '--reset', '--dir', directory)
  expect(again.code).toBe(0)
  expect(again.output).not.toContain('found again')
})

test('works where paths are too long for sockets', async () => {
  const deep = join(directory, 'x'.repeat(120))
  const { code, output } = await demo('--once', '--dir', deep)
  expect(output).toContain('✔ next echo through the tunnel')
  expect(code).toBe(0)
})

test('explains itself, and refuses a flag it does not know', async () => {
  expect(await demo('--help')).toMatchObject({ code: 0, output: expect.stringContaining('--once') as string })
  expect(await demo('--nonsense')).toMatchObject({
    code: 1,
    output: expect.stringContaining('--nonsense') as string,
  })
})
