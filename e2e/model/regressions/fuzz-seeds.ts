// Seeds of `pnpm sim fuzz` that once failed, and what was wrong. They are run with every test. A change to how
// topologies or histories are made up gives them another meaning; then they are seeds like any others.

/** A seed and what it had found. */
export interface KeptSeed {
  readonly seed: number
  readonly found: string
}

/** All that were kept. */
export const KEPT_SEEDS: readonly KeptSeed[] = [
  { seed: 46, found: 'a gateway that refuses PCP in the words of NAT-PMP was taken to have no NAT-PMP' },
  { seed: 19, found: 'the simulator kept guests from their gateway' },
  { seed: 102, found: 'the simulator let a forward and a mapping share a flow' },
  {
    seed: 130,
    found: 'the model allowed no moment on the relay when a call no longer names the address in use',
  },
  { seed: 361, found: 'the model did not know that a kept port may be the one expected' },
  { seed: 376, found: 'the model forgot those who roam into trouble' },
  { seed: 643, found: 'the simulator let a mapping die in use that only answers came in by' },
  { seed: 856, found: 'the model allowed no search by one behind a hard NAT who cannot know that it is one' },
  { seed: 1390, found: 'the same, where one mapping serves all ports of the address that is searched' },
  {
    seed: 1956,
    found: 'the model did not know what a mapping towards an address is worth to who moves there',
  },
  {
    seed: 2244,
    found:
      'a door was closed that the other side had made its path, when many of its addresses pushed out that one',
  },
  { seed: 2258, found: "the model did not know of the mapping of one's former self" },
  { seed: 2343, found: 'the simulator began with a gateway that had only just started' },
  { seed: 2348, found: 'the model allowed no packet to be under way while two handshakes cross' },
  { seed: 4192, found: 'the model allowed no search by who roamed to behind a port that is kept by luck' },
  { seed: 5076, found: 'answers that were asked for counted as a flood where many share an address' },
  {
    seed: 5381,
    found: 'the model let only the outermost NAT that two share send back in what comes from within',
  },
  { seed: 5407, found: 'the model let a node whose wire was cut know that its gateway restarted' },
  { seed: 5604, found: 'the same as 856, between two who were not troubled at all' },
  { seed: 5620, found: 'the same as 856' },
  { seed: 6250, found: 'the model allowed no search by one behind a kept port for who roamed to a hard NAT' },
  { seed: 6302, found: 'the model allowed no search for who was plugged in again where it had been' },
  { seed: 6500, found: 'the same as 856' },
  {
    seed: 6527,
    found: 'the model did not know that two mapped ports meet at their own gateway, not only at the last',
  },
  { seed: 8087, found: 'the model let a node know of a restart of its gateway that it slept through' },
  {
    seed: 8100,
    found: 'a question about the epoch of a gateway that was lost was not said again for a minute',
  },
  { seed: 8394, found: 'the model forgot a gateway within that sends back what guests send to its outside' },
  { seed: 8728, found: 'a door was closed by which another peer had come in than it was opened for' },
  { seed: 9132, found: 'the same as 856' },
]
