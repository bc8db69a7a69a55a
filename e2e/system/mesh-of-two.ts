// The mesh that system tests begin with: a control server, a relay, and the daemons `a` and `b` that reach each other.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalMesh } from '@mesh/demo/local-mesh'
import { afterAll, beforeAll } from 'vitest'

/** Starts such a mesh before the tests of a file, and ends and removes it after them. */
export function meshOfTwo(label: string): LocalMesh {
  const mesh = new LocalMesh({ directory: mkdtempSync(join(tmpdir(), `mesh-${label}-`)) })
  beforeAll(async () => {
    await mesh.choosePorts()
    await mesh.startRelay()
    await mesh.startControl()
    await mesh.ensureAuthKey()
    for (const name of ['a', 'b']) {
      await mesh.startDaemon(name)
      await mesh.up(name)
    }
    await mesh.untilPeer('a', 'b')
    await mesh.untilPeer('b', 'a')
    await mesh.untilReachable('a', 'b')
  })
  afterAll(async () => {
    await mesh.stop()
    rmSync(mesh.directory, { recursive: true, force: true })
  })
  return mesh
}
