// The packaging check: builds every workspace, packs every public package, and asks publint and attw whether a
// stranger could install and import what would be published. Last, installs the tarballs into an empty project,
// imports each from there, type-checks against each, bundles for browsers what is for them, and runs the programs.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { tryPrograms } from './installed-programs.mjs'
import { fail, node26, pnpm, root } from './setup.mjs'

/** Names are read by a library that takes Node's `Buffer`: no browser has it. */
const NOT_FOR_BROWSERS = ['@mesh/dns', '@mesh/net']

const packages = ['packages', 'apps'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
)
const manifests = packages
  .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
  .filter(({ manifest }) => !manifest.private)

const scratch = mkdtempSync(join(tmpdir(), 'mesh-pack-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

must('build', pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only']))
const tarballs = manifests.map(({ folder, manifest }) => pack(folder, manifest))
for (const { manifest, tarball } of tarballs) lint(manifest, tarball)
const stranger = importFromOutside()
checkTypes(stranger)
await bundleForBrowsers(stranger).catch((error) => fail(`packaging failed at the browsers: ${error.message}`))
await tryPrograms(node26(), stranger, scratch).catch((error) =>
  fail(`packaging failed at the programs: ${error.message}`),
)
console.log(
  `${tarballs.length} packages pack, lint, import and bundle from their own tarballs, and their programs run`,
)

/** Packs one package as it would be published and returns where the tarball lies. */
function pack(folder, manifest) {
  const into = join(scratch, manifest.name.replace('/', '-'))
  mkdirSync(into)
  must(`pack ${manifest.name}`, pnpm(['pack', '--pack-destination', into], { cwd: folder, stdio: 'pipe' }))
  return { manifest, tarball: join(into, readdirSync(into)[0]) }
}

function lint(manifest, tarball) {
  const tool = (file, ...args) =>
    spawnSync(node26(), [join(root, 'node_modules', file), ...args], { encoding: 'utf8' })
  must(`publint ${manifest.name}`, tool('publint/src/cli.js', tarball, '--strict'))
  if (manifest.exports === undefined) return
  must(`attw ${manifest.name}`, tool('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only'))
}

/** Installs every tarball into a project that knows nothing of this one, and imports every entry point. Returns its folder. */
function importFromOutside() {
  const project = join(scratch, 'stranger')
  mkdirSync(project)
  const dependencies = Object.fromEntries(
    tarballs.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`]),
  )
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module', dependencies }),
  )
  const overrides = Object.entries(dependencies).map(([name, at]) => `  '${name}': '${at}'\n`)
  writeFileSync(join(project, 'pnpm-workspace.yaml'), `packages: []\noverrides:\n${overrides.join('')}`)
  must(
    'install the tarballs',
    pnpm(['install', '--silent', '--no-frozen-lockfile'], { cwd: project, stdio: 'pipe' }),
  )
  writeFileSync(
    join(project, 'all.mjs'),
    entryNames()
      .map((name) => `await import('${name}')\n`)
      .join(''),
  )
  must(
    'import every entry',
    spawnSync(node26(), ['--disable-warning=ExperimentalWarning', 'all.mjs'], {
      cwd: project,
      encoding: 'utf8',
    }),
  )
  return project
}

/**
 * Compiles an import of every entry point with all declarations checked, as a program of Node's and as one for a bundler; what is
 * for everywhere also without the types of Node and of browsers.
 */
function checkTypes(project) {
  const compile = (name, names, options) => {
    const contents = names.map((entry, i) => `export * as entry${i} from '${entry}'\n`).join('')
    writeFileSync(join(project, `${name}.ts`), contents)
    const compilerOptions = { noEmit: true, strict: true, target: 'es2022', ...options }
    writeFileSync(join(project, `${name}.json`), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }))
    must(
      `types: ${name}`,
      spawnSync(node26(), [join(root, 'node_modules/typescript-7/bin/tsc'), '-p', `${name}.json`], {
        cwd: project,
        encoding: 'utf8',
      }),
    )
  }
  const ofNode = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] }
  compile('nodenext', entryNames(), { ...ofNode, module: 'nodenext' })
  compile('bundler', entryNames(), { ...ofNode, module: 'esnext', moduleResolution: 'bundler' })
  compile('anywhere', entryNames().filter(isForBrowsers), { types: [], lib: ['es2022'], module: 'nodenext' })
}

/** Bundles every entry point but those for a system or for tests; one that imports something of Node's does not bundle. */
async function bundleForBrowsers(project) {
  const names = entryNames().filter(isForBrowsers)
  const contents = names.map((name, i) => `export * as entry${i} from '${name}'\n`).join('')
  await build({
    stdin: { contents, resolveDir: project },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
}

/** Returns what a stranger may import, as it stands in an import. */
function entryNames() {
  return tarballs.flatMap(({ manifest }) =>
    Object.keys(manifest.exports ?? {}).map((entry) => manifest.name + entry.slice(1)),
  )
}

function isForBrowsers(name) {
  return (
    !/\/(node|contract)(\/|$)/.test(name) &&
    !NOT_FOR_BROWSERS.some((each) => `${name}/`.startsWith(`${each}/`))
  )
}

function must(what, result) {
  if (result.status === 0) return
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  fail(`packaging failed at: ${what}`)
}
