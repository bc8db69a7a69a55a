// A name server: `name-server ADDRESS NAME=ADDRESS…` answers for these names on port 53, and knows no others.
import { DnsResolver } from '@mesh/dns'
import { listenDns } from '@mesh/dns/node'
import { parseAddress } from '@mesh/wire/ip'

const [host = '', ...records] = process.argv.slice(2)
const extra = records.map((record) => {
  const [name = '', text = ''] = record.split('=')
  const address = parseAddress(text)
  if (address === undefined) throw new RangeError(`no address: ${record}`)
  return { name, address }
})
const resolver = new DnsResolver({ extra })
await listenDns({
  host,
  port: 53,
  answer: (query, context) => {
    const outcome = resolver.handleQuery(query, context)
    return outcome.kind === 'answer' ? outcome.message : undefined
  },
})
console.log('answering')
