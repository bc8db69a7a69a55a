// What people may write behind every verb, by mistake or on purpose: each gets one sentence and a code that is not 0.

import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { program } from '../src/program.ts'
import { run } from '../src/run.ts'
import { Lab } from './support.ts'

const NASTY: Readonly<Record<string, string>> = {
  quotes: `'";$(id)\`<b>`,
  'a line break': 'ann\nmesh-control: all is well.',
  'an object of every object': '__proto__',
  '300 bytes': 'x'.repeat(300),
  'text turned around': 'ann\u202Etxt.exe\u2066',
  'a terminal sequence': 'ann\u001b[2J\u0007',
  nothing: '',
  'half a character': 'ann\ud800',
}

/** Verbs that name nothing, or a file, which is somebody else's to judge. */
const WITHOUT_NAMES =
  /^(serve|configtest|migrate|rekey|version|completion|complete|help|health|backup|restore|policy .*|.* list|nodes backfillips)$/
/** A field that is free text: only what steers terminals is refused. */
const FREE = new Set(['quotes', 'an object of every object'])

const lab = new Lab()

beforeAll(async () => {
  lab.open()
  await lab.serve()
  await inProcess('users', 'create', 'ann')
})
afterAll(() => lab.close())

async function inProcess(...args: string[]): Promise<{ code: number; err: string }> {
  const err = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const code = await run([...args, '--state-dir', lab.state])
  const said = err.mock.calls.map(([text]) => String(text)).join('')
  err.mockRestore()
  out.mockRestore()
  return { code, err: said }
}

/** Every verb that names something, as command lines with the nasty text in every place. */
function lines(nasty: string): string[][] {
  const of = (command: ReturnType<typeof program>, path: readonly string[]): string[][] =>
    command.commands.flatMap((verb) => {
      const here = [...path, verb.name()]
      if (verb.commands.length > 0) return of(verb, here)
      if (WITHOUT_NAMES.test(here.join(' '))) return []
      const required = verb.options.filter(({ mandatory }) => mandatory).map(({ long }) => `${long}=${nasty}`)
      return [[...here, ...verb.registeredArguments.map(() => nasty), ...required]]
    })
  return of(program(), [])
}

test.each(Object.entries(NASTY))('%s in the place of every name', { timeout: 60_000 }, async (_, nasty) => {
  const all = lines(nasty)
  expect(all.length).toBeGreaterThan(15)
  for (const line of all) {
    const { code, err } = await inProcess(...line)
    const verb = line.slice(0, 2).join(' ')
    // The one verb that wants nothing but what may be left out says nothing.
    const sentence =
      verb === 'apikeys create' ? /^$/ : /^mesh-control: [^\p{Cc}\p{Bidi_Control}]{5,500}[.?]\n$/u
    const expected = verb === 'apikeys create' ? 0 : 1
    expect([verb, code, err]).toEqual([verb, expected, expect.stringMatching(sentence)])
  }
})

test.each(Object.entries(NASTY))('%s in the place of free text', async (name, nasty) => {
  const { code, err } = await inProcess('users', 'rename', 'ann', 'ann', '--display-name', nasty)
  expect([code, err.split('\n').length]).toEqual(FREE.has(name) ? [0, 1] : [1, 2])
})

test.each([
  [['preauthkeys', 'create', '-u', 'ann', '-e', '99999999999w'], /longer than a thousand years/],
  [['nodes', 'expire', '1', '-e', '999999-01-01'], /Write it as 2027/],
  [['nodes', 'list', 'more'], /too many arguments/],
  [['users', 'create'], /missing required argument 'name'/],
  [['usres', 'list'], /unknown command 'usres' \(Did you mean users\?\)/],
  [['users', 'list', '--ouput', 'json'], /unknown option '--ouput' \(Did you mean --output\?\)/],
  [['users', 'list', '-o', 'xml'], /Allowed choices are json, json-line, yaml/],
  [['nodes', 'list', '--config', '/none'], /config file \/none cannot be read/],
])('%j', async (line, sentence) => {
  const { code, err } = await inProcess(...line)
  expect([code, err]).toEqual([1, expect.stringMatching(sentence)])
  expect(err.split('\n').length).toBe(2)
})
