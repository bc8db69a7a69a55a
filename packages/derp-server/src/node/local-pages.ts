// Pages for the one who runs a server, on a port of their own. On the port of strangers no rule keeps them apart: behind a
// proxy on this machine, every stranger comes from loopback (data-plane §2.12, threat 6).
import { createServer, type Server } from 'node:http'
import { isIPv4 } from 'node:net'
import { answerPage, type PageSource } from './page.ts'

/** Tells whether only this machine reaches what listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Returns a server of pages, plain HTTP, which the caller lets listen where only this machine comes to ({@link isLoopback}). */
export function createPageServer(pages: PageSource): Server {
  return createServer((request, response) => void answerPage(pages, request, response))
}
