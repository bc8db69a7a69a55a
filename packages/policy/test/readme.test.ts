import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

afterEach(() => vi.restoreAllMocks())

test('the example of the README runs and prints what it says', async () => {
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/decide.ts')}\`\`\``)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('../examples/decide.ts')
  expect(log.mock.calls).toEqual([[true, false], [true], ['accept'], ['not-local']])
})

test('the example of the written language runs and prints what it says', async () => {
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/written.ts')}\`\`\``)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('../examples/written.ts')
  expect(log.mock.calls).toEqual([[['100.64.0.1']], ['It is allowed by acls[0].']])
})

test('the README opens with the words of the package documentation', () => {
  const [, story = ''] = /\/\*\*\n \* (.+?)\n \*\n/s.exec(read('src/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story.replaceAll('\n * ', '\n'))
})
