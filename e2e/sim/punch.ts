// Which of two sides finds a direct path by knocking and answering, from the words of RFC 4787 alone. Nothing here is
// simulated, and nothing of magicsock is used: it is what both are held against.
import type { NatBehaviour } from '@mesh/simnet'

/** What a side's boxes do together: the strictest of each. */
export interface Kind {
  readonly mapping: NatBehaviour
  readonly filtering: NatBehaviour
}

/** An endpoint of a side that the other knows. */
export interface Offer {
  /** Whether what the side answers or sends to the other leaves from this very endpoint. */
  readonly isSteady: boolean
  readonly filtering: NatBehaviour
}

/** One side. */
export interface Side {
  /** How what it sends looks to the other. */
  readonly out: Kind
  readonly offers: readonly Offer[]
}

/** A side that nothing stands before. */
export const OPEN: Kind = { mapping: 'endpoint-independent', filtering: 'endpoint-independent' }

/** Tells whether both sides find a path. */
export function canPunch(a: Side, b: Side): boolean {
  return finds(a, b) && finds(b, a)
}

/** By its own knock at what it knows, or by knocking back where the other's knock came from. */
function finds(one: Side, other: Side): boolean {
  return (
    other.offers.some((offer) => arrives(one, other, offer) && isAnswered(offer, one)) ||
    one.offers.some(
      (offer) => arrives(other, one, offer) && isAnswered(offer, other) && holds(one, offer, other),
    )
  )
}

/** Whether a knock gets in. An endpoint made for somebody else (STUN's server) is open to us only if it is to all. */
function arrives(from: Side, to: Side, offer: Offer): boolean {
  if (offer.filtering === 'endpoint-independent') return true
  // It must have knocked here itself: where it knew to, and from where it is known.
  if (!offer.isSteady || from.offers.length === 0) return false
  return offer.filtering === 'address-dependent' || isEasy(from)
}

/** Whether the answer from an endpoint gets back in: it leaves from where was knocked, or that does not matter. */
function isAnswered(offer: Offer, knocker: Side): boolean {
  return offer.isSteady || !isStrict(knocker)
}

/** Whether the one that knocks back, perhaps from another port than was knocked at, hears the answer to that. */
function holds(one: Side, offer: Offer, other: Side): boolean {
  return offer.isSteady || !isStrict(one) || other.out.mapping !== 'address-and-port-dependent'
}

function isEasy({ out }: Side): boolean {
  return out.mapping === 'endpoint-independent'
}

function isStrict({ out }: Side): boolean {
  return out.filtering === 'address-and-port-dependent'
}
