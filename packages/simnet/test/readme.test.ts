import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

afterEach(() => vi.restoreAllMocks())

test('the example of the README runs and prints what it says', async () => {
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/punch.ts')}\`\`\``)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('../examples/punch.ts')
  expect(log.mock.calls.flat()).toEqual([
    'bob: 1 byte from 203.0.113.2:41641 at 1050',
    'alice: 1 byte from 203.0.113.3:41641 at 1050',
  ])
})

test('the README opens with the words of the package documentation', () => {
  const [, story = ''] = /\/\*\*\n \* ([^\n]+)\n/.exec(read('src/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story)
})
