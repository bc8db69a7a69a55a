// Addresses, routes and MTU of an interface, set by the system's own `ip` (iproute2). Arguments go in a list, never
// through a shell, and are checked first: they come from the control server.
import { execFile } from 'node:child_process'
import { TunError } from '../errors.ts'

/** What an interface is to have. */
export interface InterfaceSettings {
  /** The interface, as `ip link` shows it. */
  readonly name: string
  /** Addresses in text with their prefix length: `100.64.0.1/32`, `fd7a:115c:a1e0::1/128`. */
  readonly addresses?: readonly string[]
  /** Destinations that go into the device: `100.64.0.0/10`, `fd7a:115c:a1e0::/48`, `0.0.0.0/0`. */
  readonly routes?: readonly string[]
  /** Largest packet in bytes. */
  readonly mtu?: number
  /** The named network namespace that holds the interface; default the process's own. */
  readonly netns?: string
}

/** What {@link configureInterface} could not do and did not need to. */
export interface InterfaceResult {
  /** IPv6 addresses and routes left out because this kernel or namespace has IPv6 switched off. */
  readonly skipped: readonly string[]
}

const PREFIX_TEXT = /^[0-9a-fA-F:.]{2,45}(\/\d{1,3})?$/
const NAMESPACE_TEXT = /^[\w.][\w.-]*$/
const NO_IPV6 = /IPv6 is disabled|not supported|Permission denied|Operation not permitted/

/**
 * Sets the MTU, adds the addresses, brings the interface up, then adds the routes. What is there already stays as
 * it is, so a second call changes nothing.
 *
 * @throws TunError `ERR_TUN_CONFIGURE` with what `ip` said.
 * @throws RangeError when a name, an address or a route is not one.
 */
export async function configureInterface(settings: InterfaceSettings): Promise<InterfaceResult> {
  const { name, mtu, netns, addresses = [], routes = [] } = settings
  checkInterfaceName(name)
  for (const text of [...addresses, ...routes]) checkPrefixText(text)
  const ip = ipIn(netns)
  const skipped: string[] = []
  const orSkip = async (text: string, ...args: string[]): Promise<void> => {
    try {
      await ip(familyOf(text), ...args)
    } catch (error) {
      if (!text.includes(':') || !(error instanceof TunError) || !NO_IPV6.test(error.message)) throw error
      skipped.push(text)
    }
  }
  if (mtu !== undefined) await ip('link', 'set', 'dev', name, 'mtu', String(mtu))
  for (const address of addresses)
    await orSkip(address, 'address', 'replace', address, 'dev', name, ...noDad(address))
  await ip('link', 'set', 'dev', name, 'up')
  for (const route of routes) await orSkip(route, 'route', 'replace', route, 'dev', name)
  return { skipped }
}

/** Moves an interface of the process's own namespace into a named one. */
export async function moveToNamespace(name: string, netns: string): Promise<void> {
  checkNamespace(netns)
  await ipIn(undefined)('link', 'set', 'dev', name, 'netns', netns)
}

/** Throws a RangeError for a name no interface can have; the kernel's rule, and no leading dash. */
export function checkInterfaceName(name: string): void {
  const bytes = new TextEncoder().encode(name).length
  if (bytes === 0 || bytes > 15 || name === '.' || name === '..' || !/^[^-/\s:\0][^/\s:\0]*$/.test(name)) {
    throw new RangeError(`not an interface name of 1 to 15 bytes: ${JSON.stringify(name)}`)
  }
}

function checkPrefixText(text: string): void {
  if (!PREFIX_TEXT.test(text))
    throw new RangeError(`not an address with a prefix length: ${JSON.stringify(text)}`)
}

function checkNamespace(netns: string): void {
  if (!NAMESPACE_TEXT.test(netns)) throw new RangeError(`not a namespace's name: ${JSON.stringify(netns)}`)
}

function familyOf(text: string): string {
  return text.includes(':') ? '-6' : '-4'
}

/** No duplicate address detection: the control server gave us the address, and nobody on a TUN would object. */
function noDad(address: string): string[] {
  return address.includes(':') ? ['nodad'] : []
}

function ipIn(netns: string | undefined): (...args: string[]) => Promise<void> {
  if (netns !== undefined) checkNamespace(netns)
  const prefix = netns === undefined ? [] : ['-n', netns]
  return (...args) => run('ip', [...prefix, ...args])
}

function run(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 10_000 }, (error, _stdout, stderr) => {
      if (error === null) return resolve()
      const said = stderr.trim() || error.message
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      const message = missing
        ? `setting up a TUN needs the program "ip" (iproute2)`
        : `ip ${args.join(' ')}: ${said}`
      reject(new TunError('ERR_TUN_CONFIGURE', message, { cause: error }))
    })
  })
}
