import { compile, readPolicy, testPolicy } from '@mesh/policy'

const users = [{ id: 1, name: 'ann', email: 'ann@example.com' }]
const policy = readPolicy(`{
  "tagOwners": { "tag:web": ["ann@example.com"] },
  "acls": [{ "action": "accept", "src": ["ann@example.com"], "dst": ["tag:web:443"] }],
  "tests": [{ "src": "ann@example.com", "accept": ["tag:web:443"], "deny": ["tag:web:22"] }],
}`)
const laptop = { id: 1, user: 1, tags: [], addresses: ['100.64.0.1'], routes: [] }
const web = { id: 2, user: undefined, tags: ['tag:web'], addresses: ['100.64.0.2'], routes: [] }
testPolicy(policy, [laptop, web], users) // throws when one of its own tests fails

const site = compile(policy, [laptop, web], users).forNode(2)!
console.log(site.packetFilter[0]?.SrcIPs) // [ '100.64.0.1' ]
console.log(site.verdict({ source: '100.64.0.1', destination: '100.64.0.2', protocol: 6, port: 443 }).reason) // It is allowed by acls[0].
