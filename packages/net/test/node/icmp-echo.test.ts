// Echoes of the real kernel, by whatever socket this user may have; and what is said where there is no way at all.
import { AF_INET, O_CLOEXEC, O_NONBLOCK, SOCK_RAW } from '@mesh/linux'
import { linuxCalls } from '@mesh/linux/node'
import { parseAddress, PROTOCOL_ICMP } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { type EchoSocket, IcmpEcho } from '../../src/node/icmp-echo.ts'

test.each(['127.0.0.1', '::1'])('D15: %s answers at once', async (text) => {
  const said: string[] = []
  const latency = await new IcmpEcho((reason) => said.push(reason)).ping(parseAddress(text)!)
  if (latency === undefined) {
    console.log(`skipped: neither a socket nor a program to ping with (${said.join()})`)
    return
  }
  expect(latency).toBeGreaterThanOrEqual(0)
  expect(latency).toBeLessThan(500)
  expect(said).toEqual([])
})

test('where nothing may be sent there is no answer, and no waiting', async () => {
  expect(await new IcmpEcho(() => undefined).ping(parseAddress('255.255.255.255')!)).toBeUndefined()
})

test('the program is asked where there is no socket', async () => {
  const said: string[] = []
  const ways = { open: () => 'EPERM: operation not permitted', program: () => Promise.resolve(7) }
  expect(await new IcmpEcho((reason) => said.push(reason), ways).ping(Uint8Array.of(192, 0, 2, 1))).toBe(7)
  expect(said).toEqual([])
})

test('that there is no way is said once, and a host that is silent is not taken for it', async () => {
  const said: string[] = []
  const isLoopback = (address: Uint8Array): boolean => address[0] === 127
  const open = (): string => 'EPERM: operation not permitted'
  const none = new IcmpEcho((reason) => said.push(reason), {
    open,
    program: () => Promise.resolve(undefined),
  })
  await none.ping(Uint8Array.of(192, 0, 2, 1))
  await none.ping(Uint8Array.of(192, 0, 2, 2))
  expect(said).toEqual(['EPERM: operation not permitted'])
  const program = (address: Uint8Array): Promise<number | undefined> =>
    Promise.resolve(isLoopback(address) ? 0.1 : undefined)
  const silent = new IcmpEcho((reason) => said.push(reason), { open, program })
  expect(await silent.ping(Uint8Array.of(192, 0, 2, 1))).toBeUndefined()
  expect(said).toHaveLength(1)
})

test('threat 26: other ICMP that came before the answer does not hold the event loop', async () => {
  const localhost = Uint8Array.of(127, 0, 0, 1)
  const fd = linuxCalls().socket(AF_INET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, PROTOCOL_ICMP)
  if (fd < 0) {
    console.log('skipped: only root may have a raw socket')
    return
  }
  // The raw socket hears questions and answers of the others: a hundred packets.
  for (let i = 0; i < 50; i += 1) await new IcmpEcho(() => undefined).ping(localhost)
  let turns = 0
  const count = (): void => {
    turns += 1
    next = setImmediate(count)
  }
  let next = setImmediate(count)
  const open = (): EchoSocket => ({ fd, hasHeader: true })
  const program = (): Promise<undefined> => Promise.resolve(undefined)
  expect(await new IcmpEcho(() => undefined, { open, program }).ping(localhost)).toBeDefined()
  clearImmediate(next)
  expect(turns).toBeGreaterThanOrEqual(3)
})
