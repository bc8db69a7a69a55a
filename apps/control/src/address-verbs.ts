// `addresses`: which are kept for nodes before they come.

import type { Command } from 'commander'
import { show } from './output.ts'
import { reservationsTable } from './tables.ts'
import { admin, type AdminFlags, ask } from './verbs.ts'

/** Adds the verbs of `addresses`. */
export function addAddresses(addresses: Command): void {
  admin(addresses.command('list').aliases(['ls', 'show']), 'Show the addresses that are reserved.').action(
    async (flags: AdminFlags) => {
      const list = await ask(flags, { verb: 'addresses list' })
      await show(flags, list, reservationsTable(list))
    },
  )
  admin(
    addresses.command('reserve <holder> [address]'),
    'Keep an address, or the next free one, for a node: its name, mkey:… or nodekey:….',
  ).action(async (holder: string, address: string | undefined, flags: AdminFlags) => {
    const reserved = await ask(flags, {
      verb: 'addresses reserve',
      holder,
      ...(address === undefined ? {} : { address }),
    })
    await show(flags, reserved, `${reserved.addresses.join(' and ')} are reserved for ${reserved.holder}.`)
  })
  admin(
    addresses.command('release <address-or-holder>'),
    'Lift a reservation; a node that has the address keeps it.',
  ).action(async (which: string, flags: AdminFlags) => {
    const released = await ask(flags, { verb: 'addresses release', which })
    await show(flags, released, `${released.addresses.join(' and ')} are not reserved any more.`)
  })
}
