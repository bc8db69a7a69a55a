// `pnpm chaos NAME [--minutes M]`: kills what is running, again and again, and counts what went wrong.
import { install, runNode, sourceFlags } from './setup.mjs'

install()
process.exitCode = await runNode([...sourceFlags, 'e2e/chaos/main.ts', ...process.argv.slice(2)])
