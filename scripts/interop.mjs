// `pnpm interop NAME`: tries programs of other projects against ours; they lie in the folder MESH_PEERS names.
import { install, runNode, sourceFlags } from './setup.mjs'

install()
process.exitCode = await runNode([...sourceFlags, 'e2e/interop/main.ts', ...process.argv.slice(2)])
