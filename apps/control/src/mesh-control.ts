#!/usr/bin/env node
// The program.

import { endUnheard } from '@mesh/sansio/node'
import { run } from './run.ts'

endUnheard()
const code = await run(process.argv.slice(2))
if (code !== 0) process.exit(code)
