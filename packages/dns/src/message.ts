// A program that reads this source from another package finds the declarations only by this reference.
// oxlint-disable-next-line typescript/triple-slash-reference
/// <reference path="./dns-packet.d.ts" />
// DNS messages as this resolver needs them: the header by hand, names and records by dns-packet. The question of an
// answer is the query's own bytes, so that it comes back exactly as asked, whatever was in it.
import dnsPacket from 'dns-packet'

/** RFC 1035 section 4.1.1, RFC 6895: the response codes this resolver gives. */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const

/** The name of a response code. */
export type ResponseCode = keyof typeof RCODE

/** A query, as far as it was understood. */
export interface Query {
  /** The whole message. */
  readonly message: Uint8Array
  /** The second header word: flags, opcode. */
  readonly flags: number
  /** The first question, or nothing when there is none that can be read. */
  readonly question: Question | undefined
}

/** What is asked. */
export interface Question {
  /** The name as asked, upper case and all, with no dot at its end; `.` for the root. */
  readonly name: string
  /** `A`, `AAAA`, `PTR`…, or `UNKNOWN_65` for a type without a name. */
  readonly type: string
  /** `IN` in all but curiosities. */
  readonly class: string
  /** Where the question ends in the message. */
  readonly end: number
}

/** One record of an answer, as dns-packet takes it. It is typed here: the declarations of others would have to be installed. */
export interface Record {
  readonly name: string
  readonly type: string
  readonly ttl: number
  readonly data: string | StartOfAuthority
}

/** What a SOA record says (RFC 1035 section 3.3.13). */
export interface StartOfAuthority {
  readonly mname: string
  readonly rname: string
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

const FLAGS = 2
const QUESTION_COUNT = 4
const ANSWER_COUNT = 6
const AUTHORITY_COUNT = 8
const ADDITIONAL_COUNT = 10
const HEADER_LENGTH = 12

const FLAG_RESPONSE = 0x8000
const FLAG_AUTHORITATIVE = 0x0400
const FLAG_TRUNCATED = 0x0200
const FLAG_RECURSION_DESIRED = 0x0100
const FLAG_RECURSION_AVAILABLE = 0x0080
const OPCODE_MASK = 0x7800

/** What a client takes by UDP when it says nothing (RFC 1035 section 4.2.1). */
const PLAIN_UDP_LENGTH = 512
/** An OPT record without options: root name, type 41, size, extended flags, no data. */
const BARE_OPT_LENGTH = 11
const TYPE_OPT = 41

/** dns-packet reads Node's Buffer, a global in Node, Bun and Deno; whoever bundles it for a browser gives it one. */
interface BufferMaker {
  from(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array
}

/** Reads a query's header and first question; `undefined` when not even the header is whole. Never throws. */
export function decodeQuery(message: Uint8Array): Query | undefined {
  if (message.length < HEADER_LENGTH) return undefined
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const asks = view.getUint16(QUESTION_COUNT) === 1
  return { message, flags: view.getUint16(FLAGS), question: asks ? decodeQuestion(message) : undefined }
}

/** Tells whether the message is an answer and no query. */
export function isResponse(query: Query): boolean {
  return (query.flags & FLAG_RESPONSE) !== 0
}

/** Tells whether the message asks a plain question (opcode 0), and does not notify or update. */
export function isStandardQuery(query: Query): boolean {
  return (query.flags & OPCODE_MASK) === 0
}

/** How a query came. */
export interface QueryContext {
  /** By UDP an answer that the asker cannot take whole is marked truncated. Default `udp`. */
  readonly transport?: 'udp' | 'tcp'
}

/** The records of an answer, by section. */
export interface Sections {
  readonly answers?: readonly Record[]
  readonly authority?: readonly Record[]
  /** Whether recursion is offered to who asks for it; true when left out. */
  readonly offersRecursion?: boolean
  /** Whether the answer is this server's own to give; true when left out. */
  readonly isAuthoritative?: boolean
}

/** Returns an answer to the query. */
export function encodeAnswer(
  query: Query,
  code: ResponseCode,
  { answers = [], authority = [], offersRecursion = true, isAuthoritative = true }: Sections = {},
): Uint8Array {
  const { message, question, flags } = query
  const parts = [...answers, ...authority].map((record) => dnsPacket.answer.encode(record))
  const questionEnd = question?.end ?? HEADER_LENGTH
  const answer = new Uint8Array(questionEnd + parts.reduce((size, part) => size + part.length, 0))
  answer.set(message.subarray(0, questionEnd))
  const view = new DataView(answer.buffer)
  const desired = flags & FLAG_RECURSION_DESIRED
  const echoed =
    (flags & OPCODE_MASK) | desired | (desired !== 0 && offersRecursion ? FLAG_RECURSION_AVAILABLE : 0)
  const authoritative = isAuthoritative ? FLAG_AUTHORITATIVE : 0
  view.setUint16(FLAGS, FLAG_RESPONSE | authoritative | echoed | RCODE[code])
  view.setUint16(QUESTION_COUNT, question === undefined ? 0 : 1)
  view.setUint16(ANSWER_COUNT, answers.length)
  view.setUint16(AUTHORITY_COUNT, authority.length)
  view.setUint16(ADDITIONAL_COUNT, 0)
  let at = questionEnd
  for (const part of parts) {
    answer.set(part, at)
    at += part.length
  }
  return answer
}

/** Sets the truncation flag of an answer that is longer than its asker takes by UDP. The bytes all stay. */
export function markTruncated(answer: Uint8Array, query: Query): void {
  if (answer.length <= udpLimitOf(query.message)) return
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength)
  view.setUint16(FLAGS, view.getUint16(FLAGS) | FLAG_TRUNCATED)
}

/** Returns an answer that its asker takes by UDP: one that is too long without its records, marked truncated. */
export function fitForUdp(answer: Uint8Array, query: Query): Uint8Array {
  if (answer.length <= udpLimitOf(query.message)) return answer
  const short = answer.slice(0, query.question?.end ?? HEADER_LENGTH)
  const view = new DataView(short.buffer)
  view.setUint16(FLAGS, view.getUint16(FLAGS) | FLAG_TRUNCATED)
  for (const count of [ANSWER_COUNT, AUTHORITY_COUNT, ADDITIONAL_COUNT]) view.setUint16(count, 0)
  return short
}

/** The size in the OPT record (RFC 6891), seen only when that is the very last record and has no options. */
function udpLimitOf(message: Uint8Array): number {
  const at = message.length - BARE_OPT_LENGTH
  if (at < HEADER_LENGTH) return PLAIN_UDP_LENGTH
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength)
  const isOpt = message[at] === 0 && view.getUint16(at + 1) === TYPE_OPT && view.getUint16(at + 9) === 0
  if (!isOpt || view.getUint16(ADDITIONAL_COUNT) === 0) return PLAIN_UDP_LENGTH
  return Math.max(PLAIN_UDP_LENGTH, view.getUint16(at + 3))
}

function decodeQuestion(message: Uint8Array): Question | undefined {
  const { Buffer } = globalThis as unknown as { Buffer: BufferMaker }
  try {
    const buffer = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    const { name, type, class: klass } = dnsPacket.question.decode(buffer, HEADER_LENGTH)
    return { name, type, class: klass, end: HEADER_LENGTH + dnsPacket.question.decode.bytes }
  } catch {
    return undefined
  }
}
