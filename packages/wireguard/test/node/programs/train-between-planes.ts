// Two Linux data planes without a TUN send each other a train of packets over loopback; says what arrived and what happened.
import { parsePrefix, type Prefix } from '@mesh/wire/ip'
import { LinuxDataPlane, type LinuxDataPlaneEvent } from '../../../src/node/index.ts'
import { PacketBuffer } from '../../../src/packet-batch.ts'

const PACKETS = 64
const LENGTH = 1_000
const PEER = 1
const LOOPBACK = Uint8Array.of(127, 0, 0, 1)

const prefix = (text: string): Prefix => {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new RangeError(text)
  return parsed
}

class End {
  readonly events: LinuxDataPlaneEvent[] = []
  readonly plane: LinuxDataPlane

  constructor(own: number, far: number) {
    this.plane = new LinuxDataPlane({
      tun: { fd: -1, mtu: 1280 },
      address: LOOPBACK,
      threads: 1,
      onEvent: (event) => this.events.push(event),
    }).attach({
      toOverlay: () => undefined,
      toUnderlay: () => undefined,
      onDatagrams: () => undefined,
      onActivity: () => undefined,
      onSource: () => undefined,
      onSessionEnd: () => undefined,
    })
    const theirs = [prefix(`10.0.0.${far}/32`)]
    this.plane.setRoutes([{ peer: PEER, routes: theirs, allowedIps: theirs }])
    this.plane.setSession(PEER, {
      localIndex: own,
      remoteIndex: far,
      sendKey: new Uint8Array(32).fill(own),
      receiveKey: new Uint8Array(32).fill(far),
      initiator: true,
      createdAt: performance.now(),
    })
  }
}

const a = new End(1, 2)
const b = new End(2, 1)
a.plane.setPath(PEER, { address: LOOPBACK, port: b.plane.sockets.ports.v4 ?? 0 })

const packet = new Uint8Array(LENGTH)
packet.set([0x45, 0, LENGTH >> 8, LENGTH & 255, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
for (let round = 0; round < 2; round += 1) {
  const batch = new PacketBuffer(PACKETS, PACKETS * 1_024)
  for (let i = 0; i < PACKETS; i += 1) batch.push(packet)
  a.plane.fromOverlay(batch)
}
for (let waits = 0; waits < 100 && b.plane.counters().opened < 2 * PACKETS; waits += 1) {
  await new Promise((resolve) => setTimeout(resolve, 50))
}
const { opened } = b.plane.counters()
const { sendErrors } = a.plane.losses
await Promise.all([a.plane.close(), b.plane.close()])
const degraded = a.events.flatMap((event) => (event.event === 'degraded' ? [event.reason] : []))
console.log(JSON.stringify({ opened, sendErrors, degraded }))
