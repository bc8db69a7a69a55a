// `pnpm soak NAME [--minutes N]`: something at full speed for long, such as hostile traffic.
import { install, runNode, sourceFlags } from './setup.mjs'

install()
process.exitCode = await runNode([...sourceFlags, 'e2e/soak/main.ts', ...process.argv.slice(2)])
