import { formatDiscoKey, openBox, precomputeBox, publicKeyOf, sealBox, shortKey } from '@mesh/keys'

// Fixed keys and a fixed nonce, so that this prints the same each time. A program makes keys with
// generatePrivateKey(random) and draws each nonce anew.
const alice = new Uint8Array(32).fill(0x55)
const bob = new Uint8Array(32).fill(0x66)
const nonce = Uint8Array.from({ length: 24 }, (_, i) => i)

console.log(formatDiscoKey(publicKeyOf(alice)).slice(0, 26)) // discokey:38ab664bd86f77d7e
console.log(shortKey(publicKeyOf(bob))) // [IZ5Ng]

const toBob = precomputeBox(alice, publicKeyOf(bob))
const fromAlice = precomputeBox(bob, publicKeyOf(alice))
if (toBob && fromAlice) {
  const sealed = sealBox(toBob, nonce, new TextEncoder().encode('ping'))
  console.log(sealed.length) // 20
  console.log(new TextDecoder().decode(openBox(fromAlice, nonce, sealed))) // ping
  console.log(openBox(toBob, nonce, sealed.subarray(1))) // undefined
}
