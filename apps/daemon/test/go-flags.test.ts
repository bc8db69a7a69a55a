// Command lines as scripts for the family have them.
import { expect, test } from 'vitest'
import { plainFlags } from '../src/go-flags.ts'
import { makeProgram } from '../src/program.ts'

const plain = (line: string): string => plainFlags(line.split(' '), makeProgram()).join(' ')

test.each([
  ['status -json', 'status --json'],
  ['-socket=/s status', '--socket=/s status'],
  ['-socket /s status', '--socket /s status'],
  ['ip --4 b', 'ip -4 b'],
  ['ping -c=3 -timeout=2s b', 'ping --c=3 --timeout=2s b'],
  ['status --json=true --active=false', 'status --json'],
  ['status --self=false -peers=0', 'status --no-self --no-peers'],
  ['status --self=true --peers', 'status --self --peers'],
  ['ping --until-direct=false b', 'ping --no-until-direct b'],
  ['up --accept-dns=false --hostname=true', 'up --no-accept-dns --hostname=true'],
])('takes "%s" as "%s"', (given, taken) => {
  expect(plain(given)).toBe(taken)
})

test.each([
  'ip -4',
  'ping -c3 b',
  'ping -c 3 b',
  'status --json=perhaps',
  'status -nonsense',
  'complete -- status -json',
])('leaves "%s" as it is', (line) => {
  expect(plain(line)).toBe(line)
})
