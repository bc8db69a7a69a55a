// The version that the package states: a release raises it there and nowhere else. The file is beside the folder of the
// sources, and beside that of the bundle.
import { readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string
}

/** The program's version. */
export const VERSION: string = version
