// Where the packet thread begins. It never returns to its event loop until it is told to stop: messages are taken out of
// the port whenever the shared count has moved: before each round, and after a datagram was read.
import { setFlagsFromString } from 'node:v8'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { PacketJudge } from '../linux/packet-judge.ts'
import { CORE_KEYS, CORE_PACKET_BYTES } from '../linux/plane-core.ts'
import { loadWasmAead } from '../wasm/index.ts'
import { borrowedOpenSsl, chooseAead } from './openssl-aead.ts'
import {
  bytesOf,
  cargoOf,
  type PlaneCommand,
  type PlaneNews,
  type PlaneStart,
  SHARED_CARGO_BYTES,
  SHARED_CARGOES,
  SHARED_MESSAGES,
} from './plane-messages.ts'
import { PlaneThread, THREAD_SCRATCH } from './plane-thread.ts'

/** Packets in a batch of crypto. */
const BATCH = 256

type Port = NonNullable<typeof parentPort>

async function run(port: Port, start: PlaneStart): Promise<void> {
  // A packet now and then is not often enough for V8 to compile its way, and to interpret it cold is what makes it late:
  // functions are compiled when they are first called. It is the process's flag, and costs it 3 MB.
  setFlagsFromString('--always-sparkplug')
  const loaded = loadWasmAead({
    packetBytes: CORE_PACKET_BYTES,
    batch: BATCH,
    keys: CORE_KEYS,
    extraBytes: THREAD_SCRATCH,
  })
  if (loaded.kind === 'missing') throw new Error(`no WebAssembly: ${loaded.reason}`)
  const wasm = loaded.aead
  const aead =
    start.aead === 'wasm'
      ? { backend: wasm, missing: [] }
      : chooseAead(wasm, wasm.arena.extra.byteOffset, borrowedOpenSsl())
  const post = (news: PlaneNews): void => port.postMessage(news)
  const thread = new PlaneThread(start, wasm, aead, post)
  if (start.judge !== undefined) thread.setJudge(await loadJudge(start.judge))
  post({ kind: 'ready', aead: aead.backend.name, missing: aead.missing })
  try {
    loop(thread, port, start)
  } finally {
    thread.close()
  }
}

async function loadJudge({ module, options }: NonNullable<PlaneStart['judge']>): Promise<PacketJudge> {
  const loaded = (await import(module)) as { createJudge: (options: unknown) => PacketJudge }
  return loaded.createJudge(options)
}

function loop(thread: PlaneThread, port: Port, { shared, clock }: PlaneStart): void {
  const words = new Int32Array(shared)
  const now = clockOf(clock)
  let seen = 0
  const hear = (): void => {
    // No more than there were by now: whoever goes on posting must not keep the thread from its packets.
    const posted = Atomics.load(words, SHARED_MESSAGES)
    for (; seen !== posted; seen = (seen + 1) | 0) takeMessage(thread, port, words, now())
  }
  for (;;) {
    hear()
    if (thread.stopped) return
    if (!thread.step(now(), hear)) thread.sleep(now())
  }
}

function takeMessage(thread: PlaneThread, port: Port, words: Int32Array, now: number): void {
  const received: { message: PlaneCommand } | undefined = receiveMessageOnPort(port)
  if (received === undefined) return
  thread.perform(received.message, now)
  const cargo = cargoOf(received.message)
  if (cargo.length === 0) return
  Atomics.sub(words, SHARED_CARGOES, 1)
  Atomics.sub(words, SHARED_CARGO_BYTES, bytesOf(cargo))
}

/**
 * The control thread's clock, told by our own: both count from a start of their own. Whole milliseconds, for a number with a
 * fraction would be an object in every call that takes it.
 */
function clockOf({ now, seconds, nanoseconds }: PlaneStart['clock']): () => number {
  const [s, n] = process.hrtime()
  const offset = now + (s - seconds) * 1_000 + (n - nanoseconds) / 1_000_000 - performance.now()
  return () => Math.floor(performance.now() + offset)
}

if (parentPort !== null) void run(parentPort, workerData as PlaneStart)
