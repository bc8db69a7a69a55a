// Says how often the key of a session stands in this process's memory: while it is in use, and when it is over.
// `key-remains wasm|raw|evp`: a core with that crypto, whose session ends, and one that is closed;
// `key-remains thread`: a packet thread whose session ends; `key-remains unread`: a thread that dies before it reads the key.
import { setTimeout as sleep } from 'node:timers/promises'
import { parsePrefix, type Prefix } from '@mesh/wire/ip'
import { CORE_PACKET_BYTES, PlaneCore } from '../../../src/linux/plane-core.ts'
import { LinuxDataPlane } from '../../../src/node/index.ts'
import { borrowedOpenSsl, chooseAead, OPENSSL_SCRATCH } from '../../../src/node/openssl-aead.ts'
import { loadWasmAead } from '../../../src/wasm/index.ts'
import { PacketBuffer } from '../../../src/packet-batch.ts'
import { udpPacket } from '../../linux/packets.ts'
import { DisguisedKey } from './process-memory.ts'

const PEER = 1
const LENGTH = 1_200
const anywhere = parsePrefix('0.0.0.0/0')
const ROUTES: readonly Prefix[] = anywhere === undefined ? [] : [anywhere]
const SILENT = {
  toOverlay: () => undefined,
  toUnderlay: () => undefined,
  onDatagrams: () => undefined,
  onPacket: () => undefined,
  onDatagram: () => undefined,
  onActivity: () => undefined,
  onSource: () => undefined,
  onSessionEnd: () => undefined,
}
const sendKey = new DisguisedKey(process.pid)
const receiveKey = new DisguisedKey(process.pid + 1_000)
const count = (): number => sendKey.count() + receiveKey.count()
const datagram = udpPacket({ v6: false, length: LENGTH, gso: 0 }).subarray(10)

/** Hands the keys of a session out, and overwrites them as the machine does. */
function withKeys(use: (keys: Parameters<PlaneCore['setSession']>[1]) => void): void {
  const keys = new Uint8Array(new SharedArrayBuffer(64))
  sendKey.write(keys.subarray(0, 32))
  receiveKey.write(keys.subarray(32))
  use({
    localIndex: 1,
    remoteIndex: 2,
    sendKey: keys.subarray(0, 32),
    receiveKey: keys.subarray(32),
    initiator: true,
    createdAt: performance.now(),
  })
  keys.fill(0)
}

function useCore(crypto: string, end: (core: PlaneCore) => void): [number, number] {
  const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES, extraBytes: OPENSSL_SCRATCH })
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  const { aead: wasm } = loaded
  const { raw, evp } = borrowedOpenSsl()
  const lent = { raw: crypto === 'raw' ? raw : undefined, evp: crypto === 'evp' ? evp : undefined }
  const { backend } = chooseAead(wasm, wasm.arena.extra.byteOffset, lent)
  if (!backend.name.endsWith(crypto)) throw new Error(`this Node lends no ${crypto}`)
  const core = new PlaneCore(wasm, SILENT, { mtu: 1_420, coalesce: true, backend })
  core.setRoutes([{ peer: PEER, routes: ROUTES, allowedIps: ROUTES }])
  withKeys((keys) => core.setSession(PEER, keys, keys.createdAt))
  core.takePacket(datagram, performance.now())
  core.flush()
  // A forged one is opened with the key as well.
  const forged = new Uint8Array(LENGTH)
  forged.set([4, 0, 0, 0, 1])
  wasm.arena.bytes.set(forged, core.underlayAt)
  core.takeUnderlay(LENGTH, 0, -1, performance.now())
  const during = count()
  end(core)
  return [during, count()]
}

/** A plane with one thread, which falls over when its judge is told to. */
function openPlane(onEvent: (event: string) => void, onSessionEnd: () => void): LinuxDataPlane {
  const judge = { module: new URL('rule-judge.ts', import.meta.url).href, options: undefined }
  const tun = { fd: -1, mtu: 1_420 }
  const hear = ({ event }: { readonly event: string }): void => onEvent(event)
  const plane = new LinuxDataPlane({ tun, judge, threads: 1, onEvent: hear })
  plane.attach({ ...SILENT, onSessionEnd })
  plane.setRoutes([{ peer: PEER, routes: ROUTES, allowedIps: ROUTES }])
  return plane
}

async function useThread(): Promise<[number, number]> {
  const ended = Promise.withResolvers<void>()
  const plane = openPlane(() => undefined, ended.resolve)
  withKeys((keys) => plane.setSession(PEER, keys))
  const packets = new PacketBuffer(1, 2_048)
  packets.push(datagram)
  plane.fromOverlay(packets)
  while (plane.counters().sealed < 2) await sleep(10)
  const during = count()
  plane.endSessions(PEER)
  await ended.promise
  const after = count()
  await plane.close()
  return [during, after]
}

async function fallBeforeReading(): Promise<[number, number]> {
  const [ready, restarted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const plane = openPlane(
    (event) => (event === 'ready' ? ready : restarted).resolve(),
    () => undefined,
  )
  await ready.promise
  plane.tellJudge('fall')
  withKeys((keys) => plane.setSession(PEER, keys))
  const during = count()
  plane.tellJudge('nothing') // or the next one would fall as well
  await restarted.promise
  const after = count()
  await plane.close()
  return [during, after]
}

const [how = 'wasm'] = process.argv.slice(2)
const runs: readonly [number, number][] =
  how === 'thread'
    ? [await useThread()]
    : how === 'unread'
      ? [await fallBeforeReading()]
      : [useCore(how, (core) => core.endSessions(PEER)), useCore(how, (core) => core.close())]
console.log(JSON.stringify(runs.map(([during, after]) => ({ during, after }))))
