/**
 * Node, disco and machine keys: make, write, read, agree, and the NaCl box between them.
 *
 * @packageDocumentation
 */
export {
  agree,
  clampPrivateKey,
  generatePrivateKey,
  KEY_LENGTH,
  nobleX25519,
  publicKeyOf,
  type RandomSource,
  type X25519,
} from './agreement.ts'
export { BOX_NONCE_LENGTH, BOX_OVERHEAD, type BoxKey, openBox, precomputeBox, sealBox } from './box.ts'
export { constantTimeEqual } from './constant-time.ts'
export {
  type ChallengeKey,
  type DiscoKey,
  formatChallengeKey,
  formatDiscoKey,
  formatHexKey,
  formatMachineKey,
  formatNodeKey,
  formatPrivateKey,
  formatTailnetLockKey,
  isZeroKey,
  type MachineKey,
  type NodeKey,
  type PrivateKey,
  parseChallengeKey,
  parseDiscoKey,
  parseHexKey,
  parseMachineKey,
  parseNodeKey,
  parsePrivateKey,
  parseTailnetLockKey,
  shortKey,
  type TailnetLockKey,
} from './text.ts'
