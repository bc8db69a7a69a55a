import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { dnsProviderContract } from '../../src/contract/index.ts'
import type { DnsProvider } from '../../src/index.ts'
import { dnsHook } from '../../src/node/index.ts'

const RECORD = { name: '_acme-challenge.box.mesh.example', value: 'x'.repeat(43) }
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-dns-hook-'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

/** Writes a program. */
function hook(script: string): string {
  const program = join(folder, 'hook')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o700)
  return program
}

function refusal(provider: DnsProvider): Promise<string> {
  return provider.publish(RECORD).then(
    () => 'done',
    (error: unknown) => (error as Error).message,
  )
}

describe('a program that keeps each text as a file', () => {
  dnsProviderContract(test, () => {
    const zone = join(folder, 'zone')
    const program = hook(`
      mkdir -p '${zone}/'"$2"
      [ "$3" = TXT ] || exit 9
      case "$1" in
        publish) : > '${zone}/'"$2/$4" ;;
        withdraw) rm -f '${zone}/'"$2/$4" ;;
      esac`)
    const textsAt = (name: string): readonly string[] => {
      try {
        return readdirSync(join(zone, name))
      } catch {
        return []
      }
    }
    return { provider: dnsHook({ program }), textsAt }
  })
})

test('says in a sentence why a program did not do it', async () => {
  const at = (script: string): DnsProvider => dnsHook({ program: hook(script), timeout: 500 })
  const about = `${join(folder, 'hook')} publish ${RECORD.name}: `
  expect(await refusal(at('echo first >&2; printf "no such \\033[2Jzone\\n" >&2; exit 3'))).toBe(
    `${about}it ended with code 3: no such  [2Jzone`,
  )
  expect(await refusal(at('sleep 20'))).toBe(`${about}it took longer than 0.5 s`)
  expect(await refusal(at('sleep 20 & wait'))).toBe(`${about}it took longer than 0.5 s`)
  expect(await refusal(at('kill -TERM $$'))).toBe(`${about}it was ended by SIGTERM`)
  expect(await refusal(at('yes'))).toBe(`${about}it says too much: y`)
  expect(await refusal(dnsHook({ program: join(folder, 'none') }))).toMatch(/it cannot be run \(ENOENT\)$/)
})

test('threat 8: a program sees none of the server’s own secrets, and at most four run at once', async () => {
  vi.stubEnv('MESH_CONTROL_DATABASE', 'postgres://secret')
  vi.stubEnv('PGPASSWORD', 'secret')
  vi.stubEnv('DNS_TOKEN', 'token')
  const log = join(folder, 'log')
  const provider = dnsHook({
    program: hook(`env > '${folder}/env'; echo in >> '${log}'; sleep 0.1; echo out >> '${log}'`),
  })
  await Promise.all(Array.from({ length: 9 }, () => provider.publish(RECORD)))
  const environment = readFileSync(join(folder, 'env'), 'utf8')
  expect(environment).toContain('DNS_TOKEN=token')
  expect(environment).not.toContain('secret')
  let [now, most] = [0, 0]
  for (const line of readFileSync(log, 'utf8').trim().split('\n')) {
    now += line === 'in' ? 1 : -1
    most = Math.max(most, now)
  }
  expect([now, most]).toEqual([0, 4])
})
