// A node's lasting keys. The machine key stays for as long as the machine; the node key until it is renewed or
// logged out. Both are kept only once a control server has taken the node in, so a failed login leaves nothing.
import { formatPrivateKey, generatePrivateKey, parsePrivateKey } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import { formatMachineKey, parseMachineKey } from '@mesh/keys'
import { NetError } from '../errors.ts'
import { CONTROL_KEYS, MACHINE_KEY, NEXT_NODE_KEY, NODE_KEY, type StateStore } from '../state-store.ts'

/** The private keys of a node, 32 bytes each. */
export interface NodeKeys {
  /** The machine's key, known to the control server alone. */
  readonly machineKey: Uint8Array
  /** The node's key: WireGuard's, and the node's name among relays. */
  readonly nodeKey: Uint8Array
  /** The node key that is to come after it. Kept before control hears of it, so that a full disk or a crash loses neither. */
  readonly nextNodeKey?: Uint8Array
}

/**
 * Returns the keys kept in `store`, or fresh ones that are not kept yet.
 *
 * @throws NetError `ERR_STATE_UNREADABLE` when a key is there but is not one.
 */
export function loadKeys(store: StateStore, random: RandomSource): NodeKeys {
  const nextNodeKey = readKey(store, NEXT_NODE_KEY)
  return {
    machineKey: readKey(store, MACHINE_KEY) ?? generatePrivateKey(random),
    nodeKey: readKey(store, NODE_KEY) ?? generatePrivateKey(random),
    ...(nextNodeKey ? { nextNodeKey } : {}),
  }
}

/** Keeps the keys, all or none. */
export function saveKeys(store: StateStore, keys: NodeKeys): Promise<void> {
  const { machineKey, nodeKey, nextNodeKey } = keys
  const values = {
    [MACHINE_KEY]: formatPrivateKey(machineKey),
    [NODE_KEY]: formatPrivateKey(nodeKey),
    [NEXT_NODE_KEY]: nextNodeKey && formatPrivateKey(nextNodeKey),
  }
  const known = Object.entries(values).every(([name, value]) => store.read(name) === value)
  return known ? Promise.resolve() : store.write(values)
}

/**
 * Returns the public key by which a control server is known, or `undefined` before the first contact.
 *
 * @throws NetError `ERR_STATE_UNREADABLE` when a key is there but is not one.
 */
export function pinnedControlKey(store: StateStore, controlUrl: string): Uint8Array | undefined {
  const text: unknown = controlKeys(store).get(controlUrl)
  if (text === undefined) return undefined
  const key = typeof text === 'string' ? parseMachineKey(text) : undefined
  // Not as if there had been no contact: then any key would do.
  if (!key) throw new NetError('ERR_STATE_UNREADABLE', DAMAGED_PINS)
  return key
}

const DAMAGED_PINS = 'The control server keys in the state are damaged.'

/** Remembers the public key of a control server. */
export function pinControlKey(store: StateStore, controlUrl: string, key: Uint8Array): Promise<void> {
  const keys = controlKeys(store).set(controlUrl, formatMachineKey(key))
  return store.write({ [CONTROL_KEYS]: JSON.stringify(Object.fromEntries(keys)) })
}

function controlKeys(store: StateStore): Map<string, string> {
  const text = store.read(CONTROL_KEYS)
  if (text === undefined) return new Map()
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<string, string>))
  } catch (cause) {
    throw new NetError('ERR_STATE_UNREADABLE', DAMAGED_PINS, { cause })
  }
}

function readKey(store: StateStore, name: string): Uint8Array | undefined {
  const text = store.read(name)
  if (text === undefined) return undefined
  const key = parsePrivateKey(text)
  if (key) return key
  throw new NetError(
    'ERR_STATE_UNREADABLE',
    `The state holds no key where ${name} should be: restore it, or remove it to start as a new node.`,
  )
}
