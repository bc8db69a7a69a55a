// `pnpm sim NAME`: runs what the simulator is to prove.
import { install, runNode, sourceFlags } from './setup.mjs'

install()
process.exitCode = await runNode([...sourceFlags, 'e2e/sim/main.ts', ...process.argv.slice(2)])
