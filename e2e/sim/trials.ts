// Lets things befall a town: does to the network what a happening says, tells the model of it, and writes into the book
// whom it troubles and for how long.
import { formatAddress, type IpAddress } from '@mesh/wire/ip'
import type { Book } from './book.ts'
import { describeHappening, type Happening } from './history.ts'
import type { Town } from './town.ts'
import { chainOf, partingOf, type Situation, wayOut } from './truth.ts'

/** Once a node has heard that its gateway has forgotten its mapping, it has another in this time. */
const REMAPPING = 2_000
/** By then a node knows, and has another. */
const EPOCH_CHECK = 60_000 + REMAPPING

/** Something that lasts. */
interface Spell {
  /** What it is called: several of one name last until the last is over. */
  readonly name: string
  readonly duration: number
  /** Sets it in, or ends it. */
  readonly set: (lasts: boolean) => void
  /** Which ways it troubles, if any. */
  readonly ways: 'direct' | 'all'
  /** The nodes it concerns; asked again when one has moved. */
  readonly whom: () => readonly number[]
  /** A node that could not well talk with its gateway meanwhile. */
  readonly isolates?: { readonly node: number; readonly asleep: boolean }
}

/** See the head of this file. */
export class Trials {
  readonly #town: Town
  readonly #situation: Situation
  readonly #book: Book
  readonly #note: (text: string) => void
  /** How many spells of a name last. */
  readonly #lasting = new Map<string, number>()
  /** The spells that last, with what ends the troubles they brought. */
  readonly #spells = new Map<Spell, (() => void)[]>()
  /** By when a node knows that its gateway has started anew, and since when it was kept from asking. */
  readonly #news = new Map<number, { readonly by: number; readonly unheardSince: number }>()

  constructor(town: Town, situation: Situation, book: Book, note: (text: string) => void) {
    this.#town = town
    this.#situation = situation
    this.#book = book
    this.#note = note
    town.net.internet.realm.blocks = ({ source, destination }) =>
      situation.parted.size > 0 && this.#isParted(source.address, destination.address)
  }

  /** Lets something happen now. */
  befall(happening: Happening): void {
    this.#note(`happens: ${describeHappening(happening)}`)
    switch (happening.kind) {
      case 'roam':
        return this.#roam(happening.node, happening.behind)
      case 'reboot':
        return this.#reboot(happening.box)
      case 'latency':
        this.#town.node(happening.node).host.link.latency = happening.latency
        return this.#trouble([happening.node], 'direct')()
      case 'quiet':
        return this.#town.net.clock.advanceBy(happening.duration)
      default:
        return this.#begin(this.#spellOf(happening))
    }
  }

  /** Nodes with a mapped port notice by their gateway's epoch, which they ask for once a minute. */
  #reboot(box: number): void {
    // Twice within a few seconds cannot be told from once, nor from never (RFC 6886 section 3.6).
    if (this.#lasting.get(`epoch ${box}`)) return
    this.#town.boxes[box]!.reset()
    const whom = (): number[] => this.#behind(box)
    if (this.#situation.boxes[box]!.portMapping === undefined) return this.#trouble(whom(), 'direct')()
    const by = this.#town.net.clock.now() + EPOCH_CHECK
    for (const node of whom()) this.#news.set(node, { by, unheardSince: Infinity })
    this.#begin({ name: `epoch ${box}`, duration: EPOCH_CHECK, ways: 'direct', whom, set: () => undefined })
  }

  /**
   * Whoever was kept from asking for the epoch of a gateway that started anew asks again in at most the time for which
   * it has asked in vain; and who slept, when its minute is over, of which no time has passed.
   */
  #reconnected(node: number, asleep: boolean, since: number): void {
    const news = this.#news.get(node)
    if (news === undefined || news.by <= since) return
    const now = this.#town.net.clock.now()
    const unheardSince = Math.min(news.unheardSince, since)
    const duration = asleep ? EPOCH_CHECK : Math.min(EPOCH_CHECK, now - unheardSince + REMAPPING)
    this.#news.set(node, { by: Math.max(news.by, now + duration), unheardSince })
    const [name, whom] = [`epoch of node ${node}`, (): number[] => [node]]
    this.#begin({ name, duration, ways: 'direct', whom, set: () => undefined })
  }

  /** Hears that a gateway has mapped a node's port: what used the port before must find its way anew. */
  noteMapped(id: number): void {
    this.#trouble([id], 'direct')()
  }

  #spellOf(happening: Exclude<Happening, { kind: 'roam' | 'reboot' | 'latency' | 'quiet' }>): Spell {
    const { duration } = happening
    switch (happening.kind) {
      case 'relay-restart': {
        const relay = this.#town.relays.get(happening.region)!
        const set = (lasts: boolean): void => {
          relay.up = !lasts
          if (lasts) relay.restart()
        }
        return {
          name: `relay ${happening.region}`,
          duration,
          ways: 'all',
          whom: () => this.#everybody(),
          set,
        }
      }
      case 'bad-wire': {
        const { link } = this.#town.node(happening.node).host
        const set = (lasts: boolean): void => {
          link.loss = link.duplication = link.reorder = lasts ? happening.part : 0
        }
        const { node } = happening
        const isolates = { node, asleep: false }
        return { name: `wire ${node}`, duration, ways: 'direct', whom: () => [node], isolates, set }
      }
      case 'partition': {
        const [one, two] = happening.nodes
        const parting = partingOf(wayOut(this.#situation, one - 1), wayOut(this.#situation, two - 1))
        const set = (lasts: boolean): void => switchIn(this.#situation.parted, parting, lasts)
        return { name: parting, duration, ways: 'direct', whom: () => this.#everybody(), set }
      }
      case 'cut':
        return this.#unplugged(happening.node, duration)
      case 'sleep': {
        const { clock } = this.#town.node(happening.node)
        const cut = this.#unplugged(happening.node, duration)
        const set = (lasts: boolean): void => {
          if (lasts) clock.sleep()
          else clock.wake()
        }
        this.#begin(cut)
        return {
          ...cut,
          name: `sleep ${happening.node}`,
          isolates: { node: happening.node, asleep: true },
          set,
        }
      }
      case 'block-udp': {
        const box = this.#town.boxes[happening.box]!
        const set = (lasts: boolean): void => {
          box.blocks = lasts ? () => true : undefined
          switchIn(this.#situation.blocked, happening.box, lasts)
        }
        const whom = (): number[] => this.#behind(happening.box)
        return { name: `udp ${happening.box}`, duration, ways: 'direct', whom, set }
      }
      case 'captive': {
        const box = this.#town.boxes[happening.box]!
        const set = (lasts: boolean): void => {
          box.captive = lasts
        }
        const whom = (): number[] => this.#behind(happening.box)
        return { name: `captive ${happening.box}`, duration, ways: 'all', whom, set }
      }
    }
  }

  #unplugged(node: number, duration: number): Spell {
    const { link } = this.#town.node(node).host
    const set = (lasts: boolean): void => {
      link.up = !lasts
    }
    const isolates = { node, asleep: false }
    return { name: `link ${node}`, duration, ways: 'all', whom: () => [node], isolates, set }
  }

  #begin(spell: Spell): void {
    const { name, duration, set, ways, whom, isolates } = spell
    const lasting = (by: number): number => (this.#lasting.get(name) ?? 0) + by
    this.#lasting.set(name, lasting(1))
    this.#spells.set(spell, [this.#trouble(whom(), ways)])
    set(true)
    const { clock } = this.#town.net
    const since = clock.now()
    clock.at(since + duration, () => {
      this.#lasting.set(name, lasting(-1))
      if (lasting(0) === 0) {
        set(false)
        this.#note(`over: ${name}`)
      }
      for (const end of this.#spells.get(spell) ?? []) end()
      this.#spells.delete(spell)
      if (isolates !== undefined) this.#reconnected(isolates.node, isolates.asleep, since)
    })
  }

  #roam(id: number, behind: number | undefined): void {
    const { machines, roamed } = this.#situation
    const machine = { ...machines[id - 1]!, behind }
    machines[id - 1] = machine
    roamed.add(id - 1)
    this.#trouble([id], 'direct')()
    for (const [{ whom, ways }, ends] of this.#spells)
      if (whom().includes(id)) ends.push(this.#trouble([id], ways))
    this.#town.move(this.#town.node(id), behind, machine.families)
  }

  /** All that goes to or from these nodes is in trouble, until the returned function is called. */
  #trouble(ids: readonly number[], ways: 'direct' | 'all'): () => void {
    const ends = ids.flatMap((id) => {
      const others = this.#everybody().filter((other) => other !== id)
      return others.flatMap((other) => [
        this.#book.trouble(id, other, ways),
        this.#book.trouble(other, id, ways),
      ])
    })
    return () => {
      for (const end of ends) end()
    }
  }

  #everybody(): number[] {
    return this.#town.nodes.map(({ id }) => id)
  }

  /** The nodes behind a box, at any depth. */
  #behind(box: number): number[] {
    const { boxes, machines } = this.#situation
    return machines.flatMap(({ behind }, n) => (chainOf(boxes, behind).includes(box) ? [n + 1] : []))
  }

  #isParted(from: IpAddress, to: IpAddress): boolean {
    const [one, two] = [this.#wayOutOf(from), this.#wayOutOf(to)]
    return one !== undefined && two !== undefined && this.#situation.parted.has(partingOf(one, two))
  }

  #wayOutOf(address: IpAddress): string | undefined {
    const text = formatAddress(address)
    const box = this.#town.boxes.findIndex((each) => formatAddress(each.address) === text)
    if (box >= 0) return `box ${chainOf(this.#situation.boxes, box).at(-1)}`
    const has = (addresses: readonly IpAddress[]): boolean =>
      addresses.some((own) => formatAddress(own) === text)
    const node = this.#town.nodes.findIndex(({ host }) => has(host.addresses))
    return node < 0 ? undefined : wayOut(this.#situation, node)
  }
}

function switchIn<T>(set: Set<T>, value: T, isIn: boolean): void {
  if (isIn) set.add(value)
  else set.delete(value)
}
