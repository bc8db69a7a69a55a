// `mesh attributes`: what this device says of itself for policies to go by.
import { CommandError, type LocalClient } from '../local-client.ts'

/** Sets attributes, each written as `custom:name=value`; without a value it is taken away. */
export async function setAttributes(client: LocalClient, words: readonly string[]): Promise<void> {
  const update = words.map((word): [string, string | number | boolean | null] => {
    const [, name, value] = /^(custom:\w+)=(.*)$/su.exec(word) ?? []
    if (name === undefined || value === undefined)
      throw new CommandError(`Write ${JSON.stringify(word.slice(0, 60))} as custom:name=value.`)
    return [name, valueOf(value)]
  })
  await client.setAttributes(Object.fromEntries(update))
}

function valueOf(text: string): string | number | boolean | null {
  if (text === '') return null
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text
}
