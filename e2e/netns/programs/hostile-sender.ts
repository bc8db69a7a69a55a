// Somebody on the network who means harm: sends datagrams of every shape to one port for as long as it is told to, by
// themselves and in the kernel's trains. It has no key, so nothing it sends may have any effect. Says `sent N` at the end.
import { randomBytes, randomInt } from 'node:crypto'
import { TRAIN_BYTES, TrainSender } from './train-sender.ts'

const [, , address = '192.0.2.1', port = '51820', seconds = '5'] = process.argv
const sender = new TrainSender(address, Number(port))

/** Bytes that look like something: a message type in front, or nothing at all. */
function fill(length: number, segment: number): void {
  sender.bytes.set(randomBytes(Math.min(length, 4_096)))
  for (let at = 0; at < length; at += segment) {
    const type = randomInt(8)
    if (type < 6) sender.view.setUint32(at, type, true)
    if (randomInt(4) === 0) sender.view.setUint32(at + 4, randomInt(3), true)
  }
}

let sent = 0
for (const end = Date.now() + Number(seconds) * 1_000; Date.now() < end; ) {
  const single = randomInt(3) === 0
  const segment = single ? 0 : 1 + randomInt(1_472)
  const length = single ? randomInt(TRAIN_BYTES) : Math.min(TRAIN_BYTES, segment * (1 + randomInt(64)))
  fill(length, single ? length + 1 : segment)
  if (sender.send(length, segment)) sent += 1
}
console.log(`sent ${sent}`)
