// The addresses of this machine's interfaces, as the system tells them.
import { networkInterfaces } from 'node:os'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'
import { type InterfaceAddress, selectLocalAddresses } from '../local-addresses.ts'

/**
 * Returns the addresses of the interfaces that are up, those to be told to peers (data-plane.md section 5.8), sorted.
 *
 * @param allowLoopback - Loopback addresses count also when there are others.
 */
export function localAddresses(allowLoopback: boolean): IpAddress[] {
  return selectLocalAddresses(interfaceAddresses(), allowLoopback)
}

function interfaceAddresses(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([interfaceName, infos = []]) => {
    return infos.flatMap((info) => {
      const address = parseAddress(info.address)
      const prefixBits = Number(info.cidr?.split('/')[1] ?? 0)
      return address === undefined ? [] : [{ interfaceName, address, prefixBits }]
    })
  })
}
