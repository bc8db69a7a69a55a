// The README's example over the loopback interface, and the README's words.
import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

afterEach(() => vi.restoreAllMocks())

test('the example of the README runs and prints what it says', async () => {
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/two-peers.ts')}\`\`\``)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('../../examples/two-peers.ts')
  // A second address may prove faster than the first, and is said in the same words.
  const said = new Set(log.mock.calls.map(([what]) => what as unknown))
  expect([...said]).toEqual(['peer 2 is reached: direct', true, 'peer 1 says hello'])
})

test('the README opens with the words of the package documentation', () => {
  const [, story = ''] = /\/\*\*\n \* (.+?)\n \*\n/s.exec(read('src/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story.replaceAll('\n * ', '\n'))
})
