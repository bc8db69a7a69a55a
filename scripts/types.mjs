// `pnpm types`: checks everything with Node's types, then the cores again with no platform types at all.
import { spawnSync } from 'node:child_process'
import { node26, root } from './setup.mjs'

for (const project of ['tsconfig.json', 'tsconfig.core.json']) {
  const tsc = ['node_modules/typescript-7/bin/tsc', '-p', project]
  const { status } = spawnSync(node26(), tsc, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
