// `pnpm check`: everything a change must pass, in the order of cost. Stops at the first failure and says which.
// `--without=tests,docs` leaves out steps that have been run already.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { fail, install, node26, pnpm, root } from './setup.mjs'

const node = (...args) => spawnSync(node26(), args, { cwd: root, stdio: 'inherit' })

const steps = [
  ['format', () => pnpm(['exec', 'biome', 'format', '.'])],
  ['lint', () => pnpm(['run', 'lint'])],
  ['types', () => node('scripts/types.mjs')],
  ['layers', () => pnpm(['exec', 'turbo', 'boundaries'])],
  ['changesets', () => pnpm(['exec', 'changeset', 'status'])],
  ['docs', () => pnpm(['run', 'docs'])],
  ['packaging', () => node('scripts/packaging.mjs')],
  ['tests', () => node('scripts/test.mjs')],
]

const without = leftOut()
const unknown = without.find((name) => !steps.some(([step]) => step === name))
if (unknown) fail(`there is no step ${unknown}; there are ${steps.map(([name]) => name).join(', ')}`)

install()
for (const [name, run] of steps.filter(([step]) => !without.includes(step))) {
  const started = Date.now()
  console.log(`\n▸ ${name}`)
  if (run().status !== 0) fail(`check failed at: ${name}`)
  console.log(`✓ ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
}
console.log('\ncheck passed')

function leftOut() {
  try {
    const { values } = parseArgs({ options: { without: { type: 'string', default: '' } } })
    return values.without.split(',').filter(Boolean)
  } catch (error) {
    return fail(error.message)
  }
}
