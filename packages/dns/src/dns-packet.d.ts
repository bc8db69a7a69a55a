// What this package uses of dns-packet, typed here because its published types bring in all of Node's, and a core
// must compile without them. Buffers are Uint8Array to us; dns-packet itself needs Node's kind of them.
declare module 'dns-packet' {
  export interface Question {
    readonly name: string
    readonly type: string
    readonly class: string
  }

  const dnsPacket: {
    readonly question: {
      /** Throws on bad bytes. */
      readonly decode: { (bytes: Uint8Array, offset: number): Question; readonly bytes: number }
    }
    readonly answer: {
      encode(answer: object): Uint8Array
    }
  }
  export default dnsPacket
}
