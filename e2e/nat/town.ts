// A town in namespaces: one internet, which is a bridge; servers on it; and homes, each a router of some kind with a
// host behind it.
import type { Lab, Namespace } from '../netns/lab.ts'
import { type NatKind, natRules, type Quirks, ROUTERS } from './nat-rules.ts'
import { type Socket, WITNESS_RULES } from './witness.ts'

/** A host somewhere in the town. */
export interface Host {
  /** What it is called. */
  readonly name: string
  /** Where its programs run. */
  readonly inside: Namespace
  /** Where its packets reach the internet: its router, or the host itself. */
  readonly edge: Namespace
  /** Where its cable is plugged in. */
  socket: Socket
}

/** A router, and the network behind it. */
export interface Router {
  readonly edge: Namespace
  /** The first three numbers of its IPv4 network. */
  readonly network: string
  /** The first four groups of its IPv6 network, as text; none where it has no IPv6. */
  readonly v6Network: string | undefined
}

/** Where a router stands and how. */
export interface RouterSettings {
  /** Its name, unique in the town. */
  readonly name: string
  /** The router's address outside. */
  readonly outside: string
  /** The first three numbers of the network behind the router. */
  readonly network: string
  /** What the router does; nothing but filtering when `undefined`. */
  readonly kind: NatKind | undefined
  /** Prefixes that others have without translation, and the router to each. */
  readonly routes?: readonly string[]
  /** The router that it is behind itself; none on the internet. */
  readonly behind?: Router
  readonly quirks?: Quirks
  /** Its IPv6 address outside, and the first four groups of its IPv6 network inside. */
  readonly v6?: { readonly outside: string; readonly network: string }
}

/** How a host stands behind its router. */
export interface BehindOptions {
  /** The last number of its address. Default 11. */
  readonly number?: number
  /** The network carries nothing between it and other isolated hosts: guests of a Wi-Fi. */
  readonly isolated?: boolean
  /** Which families it has. Default: those of the router. */
  readonly families?: readonly (4 | 6)[]
}

/** By what the router that translates reaches IPv4. */
export const NAT64_PREFIX = '2001:db8:64::'

/** Makes the internet: everything else is plugged into it. */
export async function openTown(lab: Lab): Promise<Town> {
  const internet = await lab.namespace('internet')
  await shell(internet, 'ip link add internet type bridge', 'ip link set internet up', nft(WITNESS_RULES))
  return new Town(lab, internet)
}

/** A town; see {@link openTown}. */
export class Town {
  readonly #lab: Lab
  readonly #internet: Namespace
  #plugs = 0

  /** @param internet - A namespace with a bridge of that name. */
  constructor(lab: Lab, internet: Namespace) {
    this.#lab = lab
    this.#internet = internet
  }

  /** Makes a host with public addresses. */
  async host(name: string, addresses: readonly string[], routes: readonly string[] = []): Promise<Host> {
    const inside = await this.#lab.namespace(name)
    const socket = await this.#plug(inside, addresses, routes)
    return { name, inside, edge: inside, socket }
  }

  /** Makes a router and one host behind it. */
  async home(settings: RouterSettings): Promise<Host> {
    return this.behind(await this.router(settings), settings.name)
  }

  /** Makes a router, on the internet or behind another. */
  async router(settings: RouterSettings): Promise<Router> {
    const { name, outside, network, kind, routes = [], behind, quirks, v6 } = settings
    const edge = await this.#lab.namespace(`${name}-r`)
    if (behind === undefined) {
      await this.#plug(edge, [outside, ...(v6 === undefined ? [] : [v6.outside])], routes)
    } else await attach(behind, edge, 'wan', outside)
    await shell(
      edge,
      'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1',
      // Else what the bridge carries would pass the router's filter too.
      'sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true',
      'ip link add lan type bridge',
      `ip address add ${network}.1/24 dev lan`,
      'ip link set lan up',
      ...(v6 === undefined ? [] : [`ip address add ${v6.network}::1/64 dev lan nodad`]),
      nft(natRules(kind, outside, quirks), ...(v6 === undefined ? [] : [FIREWALL_V6]), WITNESS_RULES),
    )
    return { edge, network, v6Network: v6?.network }
  }

  /** Makes a host behind a router. */
  async behind(router: Router, name: string, options: BehindOptions = {}): Promise<Host> {
    const inside = await this.#lab.namespace(`${name}-h`)
    return { name, inside, edge: router.edge, socket: await settle(inside, router, options) }
  }

  /** Plugs a host in behind a router, and out where it was. */
  async move(host: Host, router: Router, options: BehindOptions = {}): Promise<void> {
    await shell(host.inside, 'ip link delete eth0')
    host.socket = await settle(host.inside, router, options)
  }

  /** Makes a host with IPv6 alone, behind a router that translates to IPv4 (tayga, and an easy NAT after it). */
  async translated(name: string, outside: string, outside6: string, network6: string): Promise<Host> {
    const edge = await this.#lab.namespace(`${name}-r`)
    await this.#plug(edge, [outside, outside6], [])
    const config = ['tun-device lan', 'ipv4-addr 192.168.255.1', `prefix ${NAT64_PREFIX}/96`]
    config.push('dynamic-pool 192.168.255.0/24')
    const file = `/tmp/${edge.name}-tayga.conf`
    await shell(
      edge,
      'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1',
      'ip link add lan6 type bridge',
      'ip link set lan6 up',
      `ip address add ${network6}::1/64 dev lan6 nodad`,
      `printf '%s\n' ${config.map((line) => `'${line}'`).join(' ')} > ${file}`,
      `tayga -c ${file} --mktun >/dev/null`,
      'ip link set lan up',
      'ip address add 192.168.255.254/32 dev lan',
      'ip route add 192.168.255.0/24 dev lan',
      `ip -6 route add ${NAT64_PREFIX}/96 dev lan`,
      nft(natRules(ROUTERS.portcone, outside), WITNESS_RULES),
    )
    edge.start('tayga', '-c', file, '-d', '--nodetach')
    const inside = await this.#lab.namespace(`${name}-h`)
    await shell(
      edge,
      `ip link add inside type veth peer name eth0 netns ${inside.name}`,
      'ip link set inside master lan6 up',
    )
    await shell(
      inside,
      `ip address add ${network6}::11/64 dev eth0 nodad`,
      'ip link set eth0 up',
      `ip -6 route add default via ${network6}::1`,
    )
    return { name, inside, edge, socket: { router: edge, device: 'inside' } }
  }

  async #plug(host: Namespace, addresses: readonly string[], routes: readonly string[]): Promise<Socket> {
    const device = `plug${(this.#plugs += 1)}`
    await shell(
      this.#internet,
      `ip link add ${device} type veth peer name wan netns ${host.name}`,
      `ip link set ${device} master internet up`,
    )
    await shell(
      host,
      ...addresses.map((address) =>
        address.includes(':')
          ? `ip address add ${address}/64 dev wan nodad`
          : `ip address add ${address}/24 dev wan`,
      ),
      'ip link set wan up',
      ...routes.map((route) => `ip ${route.includes(':') ? '-6 ' : ''}route add ${route}`),
    )
    return { router: this.#internet, device }
  }
}

/** Plugs a host in behind a router, with an address of each family it is to have. */
async function settle(host: Namespace, router: Router, options: BehindOptions): Promise<Socket> {
  const { number = 11, isolated = false, families = [4, 6] } = options
  const v4 = families.includes(4) ? `${router.network}.${number}` : undefined
  const socket = await attach(router, host, 'eth0', v4, isolated)
  if (router.v6Network !== undefined && families.includes(6)) {
    await shell(
      host,
      `ip address add ${router.v6Network}::${number}/64 dev eth0 nodad`,
      `ip -6 route replace default via ${router.v6Network}::1`,
    )
  }
  return socket
}

let cables = 0

/** Plugs a namespace into a router's inside network, with a default route through it when it gets an address. */
async function attach(
  router: Router,
  host: Namespace,
  device: string,
  address: string | undefined,
  isolated = false,
): Promise<Socket> {
  const port = `cable${(cables += 1)}`
  await shell(
    router.edge,
    `ip link add ${port} type veth peer name ${device} netns ${host.name}`,
    `ip link set ${port} master lan up`,
    ...(isolated ? [`ip link set ${port} type bridge_slave isolated on`] : []),
  )
  await shell(
    host,
    ...(address === undefined ? [] : [`ip address add ${address}/24 dev ${device}`]),
    `ip link set ${device} up`,
    ...(address === undefined ? [] : [`ip route replace default via ${router.network}.1`]),
  )
  return { router: router.edge, device: port }
}

/** IPv6 is not translated; only what answers is let in. */
const FIREWALL_V6 = `table ip6 fire_lab {
  chain forward { type filter hook forward priority filter; policy drop;
    iifname lan oifname wan accept
    ct state established,related accept
  }
  chain input { type filter hook input priority filter; policy drop;
    iifname != wan accept
    ct state established,related accept
    meta l4proto ipv6-icmp accept
  }
}`

/** Returns the command that gives a namespace these rules. */
function nft(...rules: readonly string[]): string {
  return `nft -f - <<'RULES'\n${rules.join('\n')}\nRULES`
}

/** Runs commands in one go: entering a namespace is what takes the time. */
async function shell(where: Namespace, ...commands: readonly string[]): Promise<void> {
  await where.run('sh', '-ec', commands.join('\n'))
}
