// Opening a connection from the user-space stack, until it is open or why it is not.
import { once } from 'node:events'
import { NetError } from '../errors.ts'
import type { UserspaceHost } from '../userspace-host.ts'
import { MeshStream } from './mesh-stream.ts'

/**
 * Connects to a port of a mesh address; `target` is what the user called it.
 *
 * @throws NetError `ERR_REFUSED` or `ERR_NO_ANSWER`.
 */
export async function dial(
  host: UserspaceHost,
  target: string,
  address: string,
  port: number,
): Promise<MeshStream> {
  const stream = new MeshStream()
  stream.attach(host.connectTcp(address, port, stream.events()))
  try {
    await once(stream, 'connect')
    return stream
  } catch (cause) {
    const refused = (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED'
    throw refused
      ? new NetError('ERR_REFUSED', `${target} refuses connections to port ${port}.`, { cause })
      : new NetError('ERR_NO_ANSWER', `${target} does not answer on port ${port}.`, { cause })
  }
}
