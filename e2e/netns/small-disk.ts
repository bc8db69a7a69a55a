// A disk that a test can fill: a small tmpfs, which only root can mount.
import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk in a folder of its own. */
export class SmallDisk {
  /** Where it is. */
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'mesh-disk-'))
  #isMounted = false

  constructor() {
    this.path = join(this.#folder, 'disk')
  }

  /** Mounts it, so large as the option `size` of tmpfs says. Returns why that cannot be, if so. */
  mount(size: string): string | undefined {
    // Servers that run as somebody else find their way in.
    chmodSync(this.#folder, 0o711)
    mkdirSync(this.path)
    if (process.platform !== 'linux') return 'a small disk needs Linux'
    if (process.getuid?.() !== 0) return 'a small disk needs root'
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'mesh-disk', this.path], { stdio: 'pipe' })
      this.#isMounted = true
      return undefined
    } catch (error) {
      return `this machine mounts no disk: ${error instanceof Error ? error.message.trim().replaceAll('\n', ': ') : ''}`
    }
  }

  /** Writes until there is no room, not even for a byte. Returns the way to make room again. */
  fill(): () => void {
    const path = join(this.path, 'ballast')
    const file = openSync(path, 'w')
    for (const piece of [1 << 16, 4096, 1]) {
      const bytes = new Uint8Array(piece)
      try {
        for (;;) writeSync(file, bytes)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    }
    closeSync(file)
    return () => rmSync(path)
  }

  /** Removes it, with all that is on it. */
  remove(): void {
    // Lazily: processes that were killed a moment ago may still have files open there.
    if (this.#isMounted) execFileSync('umount', ['-l', this.path])
    rmdirSync(this.path)
    rmdirSync(this.#folder)
  }
}
