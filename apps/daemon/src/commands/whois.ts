// `mesh whois`: whose a mesh address is.
import type { LocalClient, WhoIsAnswer } from '../local-client.ts'

/** Returns the machine and the user behind an address (with or without a port) as text or JSON. */
export async function whois(
  client: LocalClient,
  address: string,
  flags: { readonly json?: boolean },
): Promise<string> {
  const answer = await client.whois(address)
  return flags.json ? JSON.stringify(answer, undefined, 2) : describe(answer)
}

function describe({ Node, UserProfile }: WhoIsAnswer): string {
  const tags = Node.Tags?.length ? [`  Tags:          ${Node.Tags.join(', ')}`] : []
  // A tagged machine is nobody's.
  const user =
    tags.length > 0 ? [] : ['User:', `  Name:     ${UserProfile.LoginName}`, `  ID:       ${UserProfile.ID}`]
  return [
    'Machine:',
    `  Name:          ${Node.Name.replace(/\.$/, '')}`,
    `  ID:            ${Node.StableID}`,
    `  Addresses:     [${Node.Addresses.join(' ')}]`,
    ...tags,
    ...user,
  ].join('\n')
}
