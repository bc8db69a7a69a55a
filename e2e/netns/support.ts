// How a test gets its lab of network namespaces, and why it is skipped where it cannot have one.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tunUnsupportedReason } from '@mesh/tun/node'
import { test, type TestAPI } from 'vitest'
import { isOnPath, Lab } from './lab.ts'

export { eventually, Lab, Namespace, type RunResult, Started } from './lab.ts'

/**
 * Returns a `test` whose bodies are given a `lab` of their own. Where this machine gives no namespaces or no TUN, or
 * lacks one of these programs, they are skipped and say why.
 */
export function netnsTest(...programs: readonly string[]): TestAPI<{ lab: Lab }> {
  return test.extend<{ lab: Lab }>({
    lab: async ({ skip }, use) => {
      const reason = netnsSkipReason(programs)
      if (reason !== undefined) skip(reason)
      await using lab = new Lab()
      await use(lab)
    },
  })
}

/** Returns why this machine cannot have a lab in which these programs run, or `undefined` when it can. */
export function netnsSkipReason(programs: readonly string[]): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  const missing = ['ip', ...programs].filter((program) => !isOnPath(program))
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  return namespacesFail() ?? tunUnsupportedReason()
}

/** Root inside a container may still not make namespaces: try. */
function namespacesFail(): string | undefined {
  const name = `mesh-${process.pid}-probe`
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' })
    execFileSync('ip', ['netns', 'exec', name, 'true'], { stdio: 'pipe' })
    return undefined
  } catch (error) {
    const said = error instanceof Error ? error.message.trim().replaceAll('\n', ': ') : String(error)
    return `this machine gives no network namespaces: ${said}`
  } finally {
    if (existsSync(`/run/netns/${name}`)) execFileSync('ip', ['netns', 'delete', name], { stdio: 'pipe' })
  }
}
