// A peer who means harm: it has a key, shakes hands honestly, and then seals whatever it likes: packets that lie about their
// lengths, in others' names, of no version there is, flows whose segments come in every size; and it mutates, cuts, repeats
// and counts as it pleases. Its settings are its first line of input. Says `session` when it has one and `sent N` at the end.
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { nodeCrypto } from '@mesh/noise/node'
import { writeTransportHeader } from '@mesh/wire/wireguard'
import { ACTIVITY, type SessionKeys, WireGuard } from '@mesh/wireguard'
import { loadWasmCrypto } from '@mesh/wireguard/wasm'
import { TrainSender } from './train-sender.ts'

/** What the program is started with. Keys are in base64. */
export interface HostileSettings {
  readonly privateKey: string
  readonly targetKey: string
  readonly target: { readonly address: string; readonly port: number }
  /** Its own address inside, the target's, and one that is another peer's. */
  readonly inside: { readonly own: string; readonly target: string; readonly other: string }
  readonly seconds: number
}

const TARGET = 1
const HEADER = 16
const OVERHEAD = 32
const NOTHING = new Uint8Array(0)
/** A session is young for so long; then the next is begun. */
const REKEY = 100_000
const input = createInterface(process.stdin)
const [firstLine] = (await once(input, 'line')) as [string]
const { privateKey, targetKey, target, inside, seconds } = JSON.parse(firstLine) as HostileSettings
const sender = new TrainSender(target.address, target.port)
const loaded = loadWasmCrypto(nodeCrypto)
const crypto = loaded.kind === 'loaded' ? loaded.crypto : nodeCrypto
const bytesOf = (address: string): number[] => address.split('.').map(Number)
const now = (): number => performance.now()

const machine = new WireGuard({
  privateKey: Buffer.from(privateKey, 'base64'),
  random: (length) => randomBytes(length),
  wallClock: () => Date.now(),
  crypto: nodeCrypto,
})
machine.setPeers([{ id: TARGET, publicKey: Buffer.from(targetKey, 'base64'), allowedIps: [] }], now())
let session: SessionKeys | undefined
let counter = 0

/** Says what the machine wants said, and keeps the session it makes. */
function perform(): void {
  for (let out = machine.poll(); out !== undefined; out = machine.poll()) {
    if (out.kind === 'transmit') {
      sender.bytes.set(out.datagram)
      sender.send(out.datagram.length, 0)
    }
    if (out.kind === 'session' && out.session.initiator) {
      const { sendKey, receiveKey } = out.session
      session = { ...out.session, sendKey: sendKey.slice(), receiveKey: receiveKey.slice() }
      counter = 0
      console.log('session')
    }
  }
}

function listen(): void {
  for (let got = sender.receive(); got !== undefined; got = sender.receive()) {
    if ((got[0] ?? 0) < 4 && got.length > 1) machine.handleDatagram(got, -1, undefined, now())
    perform()
  }
  machine.handleTimeout(now())
  if (session === undefined) machine.handleActivity(TARGET, ACTIVITY.needSession, now())
  else if (now() - session.createdAt > REKEY) machine.handleActivity(TARGET, ACTIVITY.rekey, now())
  perform()
}

let sequence = 0

/** What is sealed: `length` bytes that may begin with a packet. */
function inner(length: number): Uint8Array {
  const bytes = Uint8Array.from(randomBytes(length))
  const kind = randomInt(9)
  if (kind === 0 || length < 60) return bytes
  const view = new DataView(bytes.buffer)
  if (kind === 1) return bytes.with(0, (randomInt(16) << 4) | randomInt(16))
  if (kind === 2) {
    bytes[0] = 0x60
    view.setUint16(4, randomInt(2) === 0 ? length - 40 : randomInt(65_536))
    if (randomInt(2) === 0) bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytesOf(inside.own)], 8)
    return bytes
  }
  bytes.set([0x45, 0, 0, 0, 0, 0, randomInt(4) === 0 ? randomInt(256) : 0x40, 0, 64, 6])
  view.setUint16(2, kind === 3 ? randomInt(65_536) : length - randomInt(2) * randomInt(20))
  if (kind === 4) bytes[0] = 0x40 | randomInt(16)
  bytes.set(kind === 5 ? bytesOf(inside.other) : bytesOf(inside.own), 12)
  bytes.set(bytesOf(inside.target), 16)
  view.setUint16(20, 6_666)
  view.setUint16(22, 6_667)
  view.setUint32(24, sequence)
  bytes[32] = (randomInt(8) === 0 ? randomInt(16) : 5) << 4
  bytes[33] = randomInt(8) === 0 ? randomInt(256) : 0x10
  sequence = (sequence + length - 40) >>> 0
  return bytes
}

function sealAt(at: number, keys: SessionKeys, plaintext: Uint8Array): void {
  if (randomInt(2_000) === 0) counter += randomInt(20_000)
  const low = counter >>> 0
  const high = Math.floor(counter / 2 ** 32)
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, low, true)
  view.setUint32(8, high, true)
  writeTransportHeader(sender.bytes, at, keys.remoteIndex, low, high)
  sender.bytes.set(crypto.seal(keys.sendKey, nonce, NOTHING, plaintext), at + HEADER)
  counter += 1
}

/** A train of this session: every datagram but the last of one size. Then something is done to it, mostly nothing. */
function sendTrain(keys: SessionKeys): number {
  const text = randomInt(4) === 0 ? randomInt(1_440) : 16 * randomInt(90)
  const size = text + OVERHEAD
  const count = 1 + randomInt(TrainSender.segmentsOf(size))
  for (let i = 0; i < count; i += 1) sealAt(i * size, keys, inner(text))
  const length = size * count - (randomInt(6) === 0 ? randomInt(size) : 0)
  const harm = randomInt(12)
  if (harm === 0) sender.bytes[randomInt(length)] = randomInt(256)
  if (harm === 1) sender.view.setUint32(randomInt(count) * size + 4, randomInt(2 ** 32 - 1), true)
  if (harm === 2) sender.view.setUint32(randomInt(count) * size + 12, 0xffff_ffff, true)
  const segment = count === 1 ? 0 : harm === 3 ? 1 + randomInt(size) : size
  const times = harm === 4 ? 3 : 1
  let sent = 0
  for (let i = 0; i < times; i += 1) if (sender.send(length, segment)) sent += count
  return sent
}

/** The lengths that UDP has at its ends. */
function sendOddities(): void {
  for (const length of [0, 1, 31, 65_507]) sender.send(length, 0)
}

let sent = 0
const end = now() + seconds * 1_000
for (let round = 0; now() < end; round += 1) {
  if (session !== undefined) sent += sendTrain(session)
  if (round % 64 !== 0 && session !== undefined) continue
  listen()
  sendOddities()
  await setImmediate()
}
console.log(`sent ${sent}`)
process.exit(0)
