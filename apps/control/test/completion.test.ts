// Completion in the shells themselves: each sources the script that the program prints, and completes a line.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../src/mesh-control.ts', import.meta.url))
const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion'
const bin = mkdtempSync(join(tmpdir(), 'mesh-completion-'))
const node = `${process.execPath} --conditions=@mesh/source --disable-warning=ExperimentalWarning ${PROGRAM}`

writeFileSync(join(bin, 'mesh-control'), `#!/bin/sh\nexec ${node} "$@"\n`)
chmodSync(join(bin, 'mesh-control'), 0o755)
afterAll(() => rmSync(bin, { recursive: true }))

interface Shell {
  readonly name: string
  readonly isHere: boolean
  /** Returns a script that prints what may end a line, a word a line. */
  readonly script: (line: string) => string
}

const runs = (program: string): boolean => spawnSync(program, ['--version']).status === 0

const SHELLS: readonly Shell[] = [
  {
    name: 'bash',
    isHere: runs('bash') && existsSync(BASH_COMPLETION),
    script: (line) => `
      source ${BASH_COMPLETION}
      source <(mesh-control completion bash)
      COMP_LINE=${JSON.stringify(line)} COMP_POINT=\${#COMP_LINE} COMP_CWORD=${line.split(' ').length - 1}
      COMP_WORDS=(${line.endsWith(' ') ? `${line} ''` : line})
      compopt() { :; }
      $(complete -p mesh-control | sed -E 's/.* -F ([^ ]+) .*/\\1/')
      printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    name: 'fish',
    isHere: runs('fish'),
    script: (line) => `mesh-control completion fish | source; complete -C '${line}'`,
  },
  {
    name: 'zsh',
    isHere: runs('zsh'),
    // Completion lives in zsh's line editor: in place of its list, the function that fills it prints what it is given.
    script: (line) => `
      compdef() { : }
      _describe() { print -rl -- "\${completions[@]//:/\t}" }
      source <(mesh-control completion zsh)
      words=(${line.endsWith(' ') ? `${line} ''` : line}) CURRENT=${line.split(' ').length}
      _mesh-control`,
  },
]

for (const { name, isHere } of SHELLS)
  if (!isHere) console.log(`skipped: completion in ${name}, because it is not installed`)

const words = ({ name, script }: Shell, line: string): readonly string[] => {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, HOME: bin, TERM: 'dumb' }
  const { stdout } = spawnSync(name, ['-c', script(line)], { encoding: 'utf8', env, timeout: 30_000 })
  return stdout.split('\n').map((each) => each.split('\t')[0]?.trim() ?? '')
}

for (const shell of SHELLS) {
  test.skipIf(!shell.isHere)(`${shell.name} completes verbs and flags`, { timeout: 60_000 }, () => {
    const verbs = ['approve-routes', 'expire', 'list']
    expect(words(shell, 'mesh-control nodes ')).toEqual(expect.arrayContaining(verbs))
    const flags = ['--disable', '--expiry']
    expect(words(shell, 'mesh-control nodes expire --')).toEqual(expect.arrayContaining(flags))
  })
}
