// A policy as it is written, before anything in it means something: every field that the language has (control §7.1).
import { HuJson } from './hujson.ts'
import { anything, bool, dictionary, fields, list, plainObject, type Read, scalar, text } from './shape.ts'

const texts = list(text)

const ACL = { action: text, proto: text, src: texts, dst: texts, srcPosture: texts }
const GRANT = {
  src: texts,
  dst: texts,
  ip: texts,
  app: dictionary(list(plainObject)),
  via: texts,
  srcPosture: texts,
}
const SSH = {
  action: text,
  src: texts,
  dst: texts,
  users: texts,
  checkPeriod: text,
  acceptEnv: texts,
  srcPosture: texts,
}
const NODE_ATTRIBUTE = { target: texts, attr: texts, app: dictionary(list(anything)), ipPool: texts }
const APPROVERS = { routes: dictionary(texts), exitNode: texts }
const TEST = { src: text, proto: text, accept: texts, deny: texts, srcPostureAttrs: dictionary(scalar) }
const SSH_TEST = { src: text, dst: texts, accept: texts, deny: texts, check: texts }

const POLICY = {
  groups: dictionary(texts),
  hosts: dictionary(text),
  postures: dictionary(texts),
  defaultSrcPosture: texts,
  tagOwners: dictionary(texts),
  acls: list(fields(ACL)),
  grants: list(fields(GRANT)),
  ssh: list(fields(SSH)),
  nodeAttrs: list(fields(NODE_ATTRIBUTE)),
  autoApprovers: fields(APPROVERS),
  tests: list(fields(TEST)),
  sshTests: list(fields(SSH_TEST)),
  randomizeClientPort: bool,
}

/** A rule of `acls`. */
export type AclText = Read<typeof ACL>
/** A rule of `grants`. */
export type GrantText = Read<typeof GRANT>
/** A rule of `ssh`. */
export type SshText = Read<typeof SSH>
/** An entry of `nodeAttrs`. */
export type NodeAttributeText = Read<typeof NODE_ATTRIBUTE>
/** An entry of `tests`. */
export type TestText = Read<typeof TEST>
/** An entry of `sshTests`. */
export type SshTestText = Read<typeof SSH_TEST>
/** A whole policy. */
export type PolicyText = Read<typeof POLICY>

/**
 * Reads a policy.
 *
 * @throws PolicyError `ERR_POLICY_SYNTAX`.
 */
export function readPolicyText(policy: string): PolicyText {
  const source = new HuJson(policy)
  return fields(POLICY)(source.root, source)
}
