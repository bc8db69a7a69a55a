import { defineConfig } from 'vitest/config'

// Tests run from sources: the @mesh/source condition resolves every package to its src.
const resolve = { conditions: ['@mesh/source', 'module', 'node', 'development|production'] }
const ssr = { resolve: { conditions: ['@mesh/source', 'module', 'node', 'development|production'] } }

export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          // Pure machines: no sockets, no processes, one isolate for all.
          name: 'unit',
          include: [
            'packages/*/test/**/*.test.ts',
            'packages/*/test/**/*.prop.test.ts',
            'e2e/model/**/*.test.ts',
          ],
          exclude: ['packages/*/test/node/**', 'packages/*/test/netns/**'],
          pool: 'threads',
          isolate: false,
          // Generous: property tests do many runs, and a machine may be busy.
          testTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          // Sockets, files and processes on loopback; no rights needed.
          name: 'system',
          include: [
            'packages/*/test/node/**/*.test.ts',
            'apps/*/test/**/*.test.ts',
            'e2e/system/**/*.test.ts',
          ],
          pool: 'forks',
          isolate: true,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          execArgv: ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning'],
        },
      },
      {
        resolve,
        ssr,
        test: {
          // TUN devices and network namespaces: root on Linux, else skipped with a printed reason.
          name: 'netns',
          include: ['packages/*/test/netns/**/*.test.ts', 'e2e/netns/**/*.test.ts', 'e2e/nat/**/*.test.ts'],
          // The lab's cases take minutes: `pnpm natlab` runs them.
          exclude: process.env['MESH_NATLAB'] === undefined ? ['e2e/nat/cases/**'] : [],
          pool: 'forks',
          isolate: true,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          execArgv: ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning'],
        },
      },
    ],
  },
})
