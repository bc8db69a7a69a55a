// The links to relays: who is told what when the home changes, and what waits for a link.
import { expect, test } from 'vitest'
import type { RelayHandlers } from '../../src/node/open-magicsock.ts'
import { RelayLinks } from '../../src/node/relay-links.ts'

const NO_HANDLERS = {} as RelayHandlers

function fakeLinks(): { links: RelayLinks; said: string[] } {
  const said: string[] = []
  const connect = (region: number) => ({
    send: (_to: Uint8Array, bytes: Uint8Array) => void said.push(`${region} sends ${bytes.join()}`),
    notePreferred: (preferred: boolean) => void said.push(`${region} preferred ${preferred}`),
    close: () => void said.push(`${region} closes`),
  })
  return { links: new RelayLinks(connect, () => NO_HANDLERS), said }
}

test('C6: each link is told at its opening whether it is the home, and all of them when the home changes', () => {
  const { links, said } = fakeLinks()
  links.open(1, true)
  links.open(2, false)
  links.noteHome(2)
  expect(said).toEqual(['1 preferred true', '2 preferred false', '1 preferred false', '2 preferred true'])
})

test('what is sent before its link is open waits, the freshest 32, in bytes of its own', () => {
  const { links, said } = fakeLinks()
  const bytes = new Uint8Array(1)
  for (let i = 1; i <= 33; i += 1) {
    bytes[0] = i
    links.send(1, new Uint8Array(32), bytes)
  }
  links.open(1, false)
  expect(said.filter((each) => each.includes('sends'))).toEqual(
    Array.from({ length: 32 }, (_, i) => `1 sends ${i + 2}`),
  )
})
