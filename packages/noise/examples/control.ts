import { controlAccept, controlInitiate, nobleCrypto } from '@mesh/noise'

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))
const machinePrivate = random(32)
const controlPrivate = random(32)
const controlPublic = nobleCrypto.x25519Public(controlPrivate)

// The machine knows the server's public key and shows its own, which only the server can read.
const machine = controlInitiate({ version: 145, random, machinePrivate, controlPublic })
const server = machine && controlAccept({ version: 145, random, controlPrivate }, machine.message)
const session = server && machine.readResponse(server.message)
console.log(machine?.message.length, server?.message.length) // 96 48

// Now each side seals what the other opens, record after record.
const record = session?.send.seal(new TextEncoder().encode('hello'))
const opened = record && server?.session.receive.open(record)
console.log(new TextDecoder().decode(opened)) // hello

// A record that comes twice is not what comes next: the channel is over.
console.log(record && server?.session.receive.open(record), server?.session.receive.broken) // undefined true
