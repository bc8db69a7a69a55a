// All the parts of a magicsock, built in the order in which they lean on each other.
import { AskedPings } from './asked-pings.ts'
import { Calls } from './calls.ts'
import type { Conversation } from './conversation.ts'
import { DiscoDirectory } from './disco-directory.ts'
import { Dispatcher } from './dispatcher.ts'
import type { PathHabits } from './habits.ts'
import type { MagicSockOptions } from './options.ts'
import { OtherWays } from './other-ways.ts'
import { PeerRows, SESSION_ACTIVE_TIMEOUT } from './peer-rows.ts'
import { PeerSet } from './peer-set.ts'
import type { Peer } from './peer.ts'
import type { Receiver } from './receiver.ts'
import { Relays } from './relays.ts'
import { Sender } from './sender.ts'
import { Sources } from './sources.ts'
import type { Surroundings, SurroundingsHost } from './surroundings.ts'
import {
  type Ground,
  hostForPeers,
  openConversation,
  openPortSearch,
  openReceiver,
  openSurroundings,
  openTunnels,
  type Rooms,
} from './wiring.ts'

/** The parts. */
export interface Parts {
  readonly directory: DiscoDirectory
  readonly relays: Relays
  readonly sources: Sources
  readonly sender: Sender
  readonly surroundings: Surroundings
  readonly conversation: Conversation
  readonly calls: Calls
  readonly dispatcher: Dispatcher
  readonly otherWays: OtherWays
  readonly receiver: Receiver
  readonly peers: PeerSet
  /** The pings somebody waits for. */
  readonly asked: AskedPings
  /** Peers with a timer of their own: those that are sent to, or have just called. */
  readonly timed: Set<Peer>
}

/** What the parts need of whoever owns the parts. */
export interface PartsOwner
  extends Pick<Ground, 'put' | 'drop' | 'rearm'>,
    Pick<SurroundingsHost, 'noteSurroundings'> {
  /** Says how paths are kept now. */
  habits(): PathHabits
  /** Hears that a peer is no more. */
  noteRemoved(peer: Peer): void
}

/** Builds the parts. Nothing is told to the owner meanwhile. */
export function openParts(options: MagicSockOptions, owner: PartsOwner): Parts {
  const { nodeKey, discoPrivateKey: privateKey, random, x25519, underlay, now } = options
  const { put, drop, rearm } = owner
  const relays = new Relays({
    connectRelay: (region) => put({ kind: 'connect-relay', region }),
    closeRelay: (region) => put({ kind: 'close-relay', region }),
  })
  const ground: Ground = {
    random,
    directory: new DiscoDirectory({ privateKey, random, x25519 }),
    relays,
    sources: new Sources(),
    rows: new PeerRows(),
    peers: () => peers,
    otherWays: () => otherWays,
    put,
    drop,
    rearm,
  }
  const asked = new AskedPings((ping, peer, result) =>
    put({ kind: 'event', event: 'ping', peer, ping, result }),
  )
  const surroundings = openSurroundings(options, ground, {
    isIdle: (at) => peers.size === 0 || at - dispatcher.lastSend > SESSION_ACTIVE_TIMEOUT,
    noteSurroundings: (report, changed, at) => owner.noteSurroundings(report, changed, at),
  })
  const conversation = openConversation(nodeKey, ground, surroundings, asked)
  const calls = new Calls(surroundings, conversation)
  const rooms: Rooms = { ...ground, surroundings, conversation }
  const sender = new Sender(underlay, relays)
  const host = { ...rooms, peer: (id: number) => peers.get(id), wake: (at: number) => surroundings.wake(at) }
  const dispatcher = new Dispatcher(sender, host, now)
  const ports = options.canOpenDoors === true ? openPortSearch(rooms) : undefined
  const otherWays = new OtherWays(openTunnels(rooms), ports)
  const timed = new Set<Peer>()
  const peers = new PeerSet(
    ground.directory,
    hostForPeers(rooms, calls, timed, () => owner.habits()),
    {
      noteRemoved: (peer) => owner.noteRemoved(peer),
      noteDiscoKey: (peer, restarted) => {
        conversation.forgetPeer(peer)
        otherWays.forgetPeer(peer)
        if (restarted) put({ kind: 'event', event: 'peer-restarted', peer: peer.id })
      },
    },
  )
  const receiver = openReceiver(rooms, otherWays)
  const { directory, sources } = ground
  return {
    directory,
    relays,
    sources,
    sender,
    surroundings,
    conversation,
    calls,
    dispatcher,
    otherWays,
    receiver,
    peers,
    asked,
    timed,
  }
}
