/**
 * Answering DNS queries over UDP and TCP, for Node.
 *
 * @packageDocumentation
 */
export { type DnsListener, listenDns, type ListenDnsOptions } from './listen-dns.ts'
