// What becomes of children whose parent is killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const CHILD = fileURLToPath(new URL('../src/child.ts', import.meta.url))
const PARENT = `
  const { Child } = await import(${JSON.stringify(CHILD)})
  const start = (name) => new Child({ name, program: 'sleep', args: ['600'] })
  const [gone, left] = [start('gone'), start('left')]
  await gone.stop()
  console.log(left.pid)
  setInterval(() => {}, 1000)`

test('children end with a parent that is killed', async () => {
  const flags = ['--conditions=@mesh/source', '--input-type=module', '-e', PARENT]
  const parent = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  expect(isAlive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
