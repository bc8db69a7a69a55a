// The README's reference is what the program says of itself. UPDATE_REFERENCE=1 writes it.

import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { program } from '../src/program.ts'
import { settingsReference, verbsReference } from '../src/reference.ts'
import { parseSettings } from '../src/settings-file.ts'

const README = new URL('../README.md', import.meta.url)

const SECTIONS = { settings: settingsReference(), verbs: verbsReference(program()) }

test.each(Object.entries(SECTIONS))('the README has the %s', (name, reference) => {
  const text = readFileSync(README, 'utf8')
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- end of ${name} -->`]
  const [before = '', rest = ''] = text.split(begin)
  const [written, after = ''] = rest.split(end)
  const isWritten = process.env['UPDATE_REFERENCE'] === '1'
  if (isWritten) writeFileSync(README, [before, begin, reference, end, after].join(''))
  expect(isWritten ? reference : written).toBe(reference)
})

test('the example file of the README is good', () => {
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(readFileSync(README, 'utf8')) ?? []
  const { entries, complaints } = parseSettings(example, 'example')
  expect(complaints).toEqual([])
  expect(entries.length).toBeGreaterThan(3)
})
