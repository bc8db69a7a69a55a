// `npm start`: installs what is missing, then runs the demo: a control server, a relay and two nodes that reach each other.
import { install, runNode, sourceFlags } from './setup.mjs'

install()
process.exitCode = await runNode([...sourceFlags, 'apps/demo/src/demo.ts', ...process.argv.slice(2)])
