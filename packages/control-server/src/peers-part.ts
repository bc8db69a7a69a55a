// What changed of the others, as viewers are told it. Most of them are told the same, so it is worked out once for every kind
// of viewer, and made into a response once for all who see the same of it: a change in a network of thousands is one text.

import type { MapResponse, Node, PeerChange, UserProfile } from '@mesh/wire/control'
import type { MapView, PeerUpdate, PeerView } from './map-views.ts'
import { patchBetween } from './node-view.ts'

/** The fields of a response that tell of peers. */
export type PeerFields = Pick<MapResponse, 'PeersChanged' | 'PeersRemoved' | 'PeersChangedPatch'>

/** What a viewer is told of updates. */
export class PeersPart {
  /** Empty when that is nothing. */
  readonly fields: PeerFields
  /** The owners of those it is told of, some of them known to it. */
  readonly owners: readonly UserProfile[]
  #response: MapResponse | undefined

  constructor(fields: PeerFields, owners: readonly UserProfile[]) {
    this.fields = fields
    this.owners = owners
  }

  /** Returns the response that tells this and nothing else, the same for all; `undefined` when there is nothing to tell. */
  response(controlTime: () => string): MapResponse | undefined {
    if (Object.keys(this.fields).length === 0) return undefined
    this.#response ??= { ...this.fields, ControlTime: controlTime() }
    return this.#response
  }
}

/** What changed between two moments. */
export class Batch {
  readonly updates: readonly PeerUpdate[]
  readonly #touched: ReadonlySet<number>
  readonly #judgedAnew: boolean
  readonly #updated: ReadonlySet<number>
  readonly #byKind = new Map<string | number, PeersPart>()
  readonly #bySight = new Map<string, PeersPart>()

  /**
   * @param touched - The nodes of which something changed, whether or not others see it.
   * @param judgedAnew - Whether any node may be judged by something else now.
   */
  constructor(updates: readonly PeerUpdate[], touched: ReadonlySet<number>, judgedAnew: boolean) {
    this.updates = updates
    this.#touched = touched
    this.#judgedAnew = judgedAnew
    this.#updated = new Set(updates.map(({ id }) => id))
  }

  /** Tells whether anything but its peers may have changed for a viewer. */
  concerns(viewer: number): boolean {
    return this.#judgedAnew || this.#touched.has(viewer)
  }

  /** Returns what a viewer is told of the updates. */
  partFor(view: MapView): PeersPart {
    if (this.#updated.has(view.id)) return partOf(this.updates, view)
    const known = this.#byKind.get(view.kind)
    if (known) return known
    const part = partOf(this.updates, view, this.#bySight)
    this.#byKind.set(view.kind, part)
    return part
  }

  /** Returns what all of a kind are told who are not concerned otherwise, if it was worked out. */
  knownPart(kind: string | number): PeersPart | undefined {
    return this.#byKind.get(kind)
  }
}

/**
 * Works out what a viewer is told.
 *
 * @param alike - What others were told, by what they saw: the same sight gives the same part.
 */
export function partOf(
  updates: Iterable<PeerUpdate>,
  view: MapView,
  alike?: Map<string, PeersPart>,
): PeersPart {
  const told = new Telling(view)
  for (const update of updates) told.add(update)
  if (!alike || told.isCut) return told.part()
  const known = alike.get(told.sight) ?? told.part()
  alike.set(told.sight, known)
  return known
}

/** What one viewer is told, as it comes together. */
class Telling {
  /** Whether it was told of somebody as only some are: without routes that are of no use to it. */
  isCut = false
  /** Which of the updates it saw: a letter for each. */
  sight = ''
  readonly #view: MapView
  readonly #changed: Node[] = []
  readonly #removed: number[] = []
  readonly #patches: PeerChange[] = []
  readonly #owners = new Set<UserProfile>()

  constructor(view: MapView) {
    this.#view = view
  }

  add({ id, before, after, patch }: PeerUpdate): void {
    const view = this.#view
    const saw = id !== view.id && before !== undefined && view.saw(id)
    const sees = id !== view.id && after !== undefined && view.sees(id)
    this.sight += saw ? (sees ? 'b' : 'r') : sees ? 'n' : '-'
    if (saw && !sees) this.#removed.push(id)
    if (sees) this.#show(after, saw ? before : undefined, patch)
  }

  part(): PeersPart {
    return new PeersPart(
      {
        ...(this.#changed.length > 0 ? { PeersChanged: this.#changed } : {}),
        ...(this.#removed.length > 0 ? { PeersRemoved: this.#removed } : {}),
        ...(this.#patches.length > 0 ? { PeersChangedPatch: this.#patches } : {}),
      },
      [...this.#owners],
    )
  }

  #show(after: PeerView, before: PeerView | undefined, patch: PeerChange | undefined): void {
    this.#owners.add(after.profile)
    const node = this.#view.shows(after)
    const shown = before && this.#view.showed(before)
    const isCut = node !== after.node || shown !== before?.node
    if (isCut) this.isCut = true
    const change = isCut && shown ? patchBetween(shown, node) : patch
    if (!shown || (shown !== node && !change)) this.#changed.push(node)
    // One that looks the same has a new owner; one that is cut may differ in what this viewer is not told.
    else if (change && shown !== node && (!isCut || Object.keys(change).length > 1))
      this.#patches.push(change)
  }
}
