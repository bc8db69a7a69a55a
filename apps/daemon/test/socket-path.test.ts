// Which daemon the command line asks when nobody says.
import { afterEach, expect, test, vi } from 'vitest'
import { socketToAsk } from '../src/socket-path.ts'

const OWN = '/run/user/1000/mesh/meshd.sock'
const SYSTEM = '/var/run/mesh/meshd.sock'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

test.each([
  ['of their own', [OWN, SYSTEM], OWN],
  ['of the machine, when they have none', [SYSTEM], SYSTEM],
  ['of their own, when there is none at all', [], OWN],
])('a user asks the daemon %s', (_which, there, asked) => {
  vi.spyOn(process, 'getuid').mockReturnValue(1000)
  vi.stubEnv('MESH_SOCKET', '')
  vi.stubEnv('XDG_RUNTIME_DIR', '/run/user/1000')
  expect(socketToAsk((path) => there.includes(path))).toBe(asked)
})

test('root asks that of the machine, and everybody the one that MESH_SOCKET names', () => {
  vi.stubEnv('MESH_SOCKET', '')
  vi.spyOn(process, 'getuid').mockReturnValue(0)
  expect(socketToAsk(() => false)).toBe(SYSTEM)
  vi.stubEnv('MESH_SOCKET', '/tmp/mine')
  expect(socketToAsk((path) => path === SYSTEM)).toBe('/tmp/mine')
})
