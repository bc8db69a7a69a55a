// Which way requests to the control server take: straight, or through the HTTP proxy that the environment names.
import { Agent, type AgentOptions } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { isLoopback, parseAddress } from '@mesh/wire/ip'
import type { ServerUrl } from './server-url.ts'

/**
 * Returns an agent for one request to a server. It goes through the proxy that `HTTPS_PROXY` (for `http:` servers
 * `HTTP_PROXY`) names, unless `NO_PROXY` has the server; a server on loopback is always reached straight. Node before
 * 24.5 reads none of the three.
 */
export function agentFor({ secure, host }: ServerUrl): Agent {
  const options: AgentOptions = isOnLoopback(host) ? {} : { proxyEnv: process.env }
  return secure ? new SecureAgent(options) : new Agent(options)
}

function isOnLoopback(host: string): boolean {
  const address = parseAddress(host)
  return host === 'localhost' || (address !== undefined && isLoopback(address))
}
