// Our ends of a tunnel as they are installed: one bundle for each program, so that no figure pays for reading TypeScript.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'tsup'

/** A folder with the bundles, which goes when it is disposed of. */
export interface BuiltPrograms extends AsyncDisposable {
  readonly folder: URL
}

const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAMS = ['fast-node', 'wireguard-node', 'policy-judge']

/** Bundles the programs of e2e/netns that stand at the ends of a tunnel, and the threads they start beside them. */
export async function builtPrograms(): Promise<BuiltPrograms> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const entry = Object.fromEntries(
    PROGRAMS.map((name) => [name, join(ROOT, `e2e/netns/programs/${name}.ts`)]),
  )
  await build({
    config: false,
    silent: true,
    entry: {
      ...entry,
      'plane-worker': join(ROOT, 'packages/wireguard/src/node/plane-worker.ts'),
      reader: join(ROOT, 'packages/tun/src/node/reader.ts'),
    },
    outDir: folder,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    splitting: false,
    noExternal: [/.*/],
    removeNodeProtocol: false,
    esbuildOptions: (options) => {
      options.conditions = ['@mesh/source']
    },
  })
  return {
    folder: pathToFileURL(`${folder}/`),
    [Symbol.asyncDispose]: () => {
      rmSync(folder, { recursive: true })
      return Promise.resolve()
    },
  }
}
