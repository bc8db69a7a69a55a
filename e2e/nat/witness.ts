// What the routers have seen. Each counts the datagrams that it hands to each cable on the inside, by length, so that
// nobody has to be believed who says that a path is direct: not the magicsocks, nor the hosts they run on.
import type { Namespace } from '../netns/lab.ts'

/** Where a cable is plugged in: a port of the bridge of a router, or of the internet itself. */
export interface Socket {
  readonly router: Namespace
  readonly device: string
}

/** Datagrams of this many bytes and more, up to {@link WITNESSED_MAX}, are counted by length at each socket. */
export const WITNESSED_MIN = 900
/** See {@link WITNESSED_MIN}. */
export const WITNESSED_MAX = 1_100

const UDP_HEADER_LENGTH = 8

/** The rules by which a router counts what its bridges hand out, switched and routed. */
export const WITNESS_RULES = `table bridge witness {
  set seen { typeof meta oifname . udp length; size 32768; flags dynamic; counter; }
  chain outwards { type filter hook postrouting priority 0;
    udp length ${WITNESSED_MIN + UDP_HEADER_LENGTH}-${WITNESSED_MAX + UDP_HEADER_LENGTH} update @seen { meta oifname . udp length }
  }
}`

/** Returns how many UDP datagrams a router has handed to who is plugged in there, by the length of what they carry. */
export async function witnessed({ router, device }: Socket): Promise<ReadonlyMap<number, number>> {
  const { stdout } = await router.run('nft', '-j', 'list', 'set', 'bridge', 'witness', 'seen')
  const { nftables } = JSON.parse(stdout) as { nftables: { set?: { elem?: Element[] } }[] }
  const elements = nftables.flatMap(({ set }) => set?.elem ?? [])
  const mine = elements.filter(({ elem }) => elem.val.concat[0] === device)
  return new Map(mine.map(({ elem }) => [elem.val.concat[1] - UDP_HEADER_LENGTH, elem.counter.packets]))
}

interface Element {
  readonly elem: {
    readonly val: { readonly concat: readonly [device: string, length: number] }
    readonly counter: { readonly packets: number }
  }
}
