// How every workspace is bundled, run from its own folder: one ESM file for each entry that its package.json
// names (libraries by "exports", programs by "bin"); tsc makes the types beside it.
import { readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

interface Manifest {
  exports?: Record<string, { '@mesh/source': string }>
  bin?: Record<string, string>
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const sources = manifest.exports
  ? Object.values(manifest.exports).map((entry) => entry['@mesh/source'].replace('./', ''))
  : Object.values(manifest.bin ?? {}).map((file) => file.replace('./dist/', 'src/').replace('.js', '.ts'))

export default defineConfig({
  entry: Object.fromEntries(sources.map((source) => [source.replace(/^src\/|\.ts$/g, ''), source])),
  format: 'esm',
  platform: manifest.exports ? 'neutral' : 'node',
  external: [/^node:/],
  // What a package imports it must depend on: nothing of others is bundled in its place.
  skipNodeModulesBundle: true,
  // node:sqlite and node:ffi have no name without the prefix.
  removeNodeProtocol: false,
  target: 'node22.18',
  sourcemap: true,
  clean: true,
  dts: false,
})
