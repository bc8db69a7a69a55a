import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the README opens with the words of the package documentation, and shows the example that is checked', () => {
  const [, story = ''] = /\/\*\*\n \* (.+?)\n \*\n/s.exec(read('src/node/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story.replaceAll('\n * ', '\n'))
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/https.ts')}\`\`\``)
})
