// `npm start -- --tun --once`: two namespaces with real TUN devices, and the kernel's own programs across the tunnel.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { netnsTest } from './support.ts'

const DEMO = fileURLToPath(new URL('../../apps/demo/src/demo.ts', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const test = netnsTest('ping', 'curl')

test('the demo with TUN devices lets ping and curl cross the tunnel, by address and by name', async ({
  lab,
}) => {
  // The demo makes its own namespaces; the lab is what tells whether this machine can have them.
  expect(lab).toBeDefined()
  const directory = mkdtempSync(join(tmpdir(), 'mesh-tun-'))
  try {
    const { code, output } = await demo('--tun', '--once', '--dir', directory)
    expect(output).toMatch(/✔ ping 100\.\S+ +[\d.]+ ms on average/)
    expect(output).toMatch(/✔ ping b \(the name\)/)
    expect(output).toMatch(/✔ curl http:\/\/100\.\S+:8080\/ +“hello from b”/)
    expect(output).toMatch(/✔ curl http:\/\/b:8080\//)
    expect(output).toMatch(/✔ all of it went straight, by the counters/)
    expect(code).toBe(0)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

function demo(...args: string[]): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...FLAGS, DEMO, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: stdout + stderr })
    })
  })
}
