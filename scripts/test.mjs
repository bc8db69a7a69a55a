// `npm test`: installs what is missing, then runs every test that this machine allows. Arguments go to vitest.
import { install, runNode } from './setup.mjs'

install()
const reporters = ['--reporter=default', '--reporter=./scripts/summary-reporter.mjs']
process.exitCode = await runNode([
  'node_modules/vitest/vitest.mjs',
  'run',
  ...reporters,
  ...process.argv.slice(2),
])
