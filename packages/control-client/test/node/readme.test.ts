import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { startTestControl } from './test-control.ts'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

test('the example of the README logs in and prints who is there', async () => {
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/join.ts')}\`\`\``)
  const server = await startTestControl()
  vi.stubEnv('MESH_CONTROL', server.url)
  const log = vi.spyOn(console, 'log').mockReturnValue()
  await import('../../examples/join.ts')
  await vi.waitFor(() => expect(log.mock.calls).toEqual([[['b.mesh.example. online']]]))
  await server.close()
})

test('the README opens with the words of the package documentation', () => {
  const [, story = ''] = /\/\*\*\n \* ([^\n]+)\n/.exec(read('src/index.ts')) ?? []
  expect(read('README.md').split('\n\n')[1]).toBe(story)
})
