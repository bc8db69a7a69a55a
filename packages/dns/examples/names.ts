import { DnsResolver } from '@mesh/dns'

const resolver = new DnsResolver({
  suffix: 'tail1234.ts.net',
  nodes: [{ name: 'laptop.tail1234.ts.net', addresses: [Uint8Array.of(100, 64, 0, 2)] }],
  routes: [{ suffix: '', resolvers: ['9.9.9.9'] }],
})

// A query as it comes from a socket: id, flags, one question for the A record of a name.
function queryFor(name: string): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...new TextEncoder().encode(label)])
  return Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1)
}

const known = resolver.handleQuery(queryFor('laptop.tail1234.ts.net'))
if (known.kind === 'answer') console.log(known.message.slice(-4).join('.')) // 100.64.0.2

const unknown = resolver.handleQuery(queryFor('example.org'))
if (unknown.kind === 'forward') console.log(unknown.resolvers) // [ '9.9.9.9' ]
