// `pnpm natlab [NAME]`: the whole table of NATs on the real kernel, and every other case of the lab. `npm test` runs the
// table and the port mapping alone: the cases take minutes.
process.env['MESH_NATLAB'] = 'all'
const [name = 'e2e/nat', ...rest] = process.argv.slice(2)
process.argv.splice(2, Infinity, '--project', 'netns', name, ...rest)
await import('./test.mjs')
