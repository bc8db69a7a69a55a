// `pnpm --filter @mesh/wireguard run wasm`: compiles assembly/ and writes the module into src/wasm/aead-module.ts, which
// is committed, so that nothing needs a compiler to run. A test compiles again and compares every byte. The sources end
// in .as, because they are no TypeScript to the tools that read this repository; the compiler is told they end in .ts.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder: string = fileURLToPath(new URL('..', import.meta.url))

/** Where the module lies in TypeScript. */
export const modulePath: string = join(folder, 'src/wasm/aead-module.ts')

// Without the compiler's own optimiser: it would gather the lines that assembly/chacha20.as interleaves on purpose, which
// costs an eighth of the speed. The engine that runs the module optimises all the rest again anyhow.
const options: readonly string[] = [
  'assembly/index.ts',
  '--optimizeLevel',
  '0',
  '--noAssert',
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '--importMemory',
  '--noExportMemory',
  '--initialMemory',
  '2',
  '--outFile',
  'aead.wasm',
]

/** What is used of the compiler. Its own types would bring a `console` of their own into the whole check. */
interface Compiler {
  main(
    options: string[],
    host: {
      readFile: (name: string, base: string) => string | null
      writeFile: (name: string, contents: Uint8Array | string) => void
      listFiles: () => null
      stderr: { write: (chunk: Uint8Array | string) => void }
    },
  ): Promise<{ readonly error: Error | null }>
}

/** Compiles assembly/ and returns the text of the TypeScript file that carries the module. */
export async function compileModule(): Promise<string> {
  let binary: Uint8Array = new Uint8Array(0)
  const said: string[] = []
  const compiler: string = 'assemblyscript/asc'
  const asc = (await import(compiler)) as Compiler
  const { error } = await asc.main([...options], {
    readFile: (name, base) => {
      try {
        return readFileSync(join(folder, base === '.' ? '' : base, name.replace(/\.ts$/, '.as')), 'utf8')
      } catch {
        return null
      }
    },
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') binary = contents
    },
    listFiles: () => null,
    stderr: {
      write: (chunk) => {
        said.push(String(chunk))
      },
    },
  })
  if (error) throw new Error(`assembly/ does not compile:\n${said.join('')}`, { cause: error })
  return render(binary)
}

function render(binary: Uint8Array): string {
  const sha256 = createHash('sha256').update(binary).digest('hex')
  const lines =
    Buffer.from(binary)
      .toString('base64')
      .match(/.{1,100}/g) ?? []
  return [
    '// Made by `pnpm --filter @mesh/wireguard run wasm` from assembly/; do not edit. Nothing but the module in base64.',
    '',
    '/** SHA-256 of the module, in hexadecimal. */',
    `export const AEAD_MODULE_SHA256 = '${sha256}'`,
    '',
    '/** The module, in base64 with line breaks. */',
    `export const AEAD_MODULE: string = \``,
    ...lines,
    '`',
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await compileModule()
  writeFileSync(modulePath, text)
  console.log(`wrote ${modulePath}: ${Math.round((text.length * 3) / 4)} bytes of module`)
}
