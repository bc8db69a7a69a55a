// The first example of the README, as it stands there: fifteen lines that make two peers talk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, first = '', second = ''] = README.split('```ts\n').map((part) => part.split('```')[0] ?? '')

const linesOf = (code: string): number => code.split('\n').filter((line) => line.trim() !== '').length

test('two peers in one process are fifteen lines, a real interface fifteen more', () => {
  expect(linesOf(first)).toBeLessThanOrEqual(15)
  expect(linesOf(second)).toBeLessThanOrEqual(15)
})

test('the two peers of the README talk, and say what it says', async () => {
  const flags = [
    '--conditions=@mesh/source',
    '--disable-warning=ExperimentalWarning',
    '--input-type=module-typescript',
  ]
  const program = spawn(process.execPath, [...flags, '--eval', first], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  })
  let said = ''
  for (const stream of [program.stdout, program.stderr])
    stream.on('data', (text: Buffer) => (said += text.toString()))
  try {
    await Promise.race([once(program.stdout, 'data'), once(program, 'exit')])
    expect(said).toBe('38 bytes from Ann\n')
  } finally {
    program.kill()
  }
})
