import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('the README opens with the words of the package documentation', () => {
  const [, story = ''] = /\/\*\*\n \* (.+?)\n \*\n/s.exec(read('src/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story.replaceAll('\n * ', '\n'))
})

test('the README names every export', () => {
  const names = [...read('src/index.ts').matchAll(/^export (?:type )?\{([^}]+)\}/gms)].flatMap(
    ([, list = '']) => list.split(',').map((name) => name.replace('type ', '').trim()),
  )
  const missing = names.filter((name) => name !== '' && !read('README.md').includes(`\`${name}`))
  expect(missing).toEqual([])
})
