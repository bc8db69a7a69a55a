// Counts in the kernel: an eventfd is written twice and read once.
import { O_CLOEXEC } from '@mesh/linux'
import { Arena, linuxCalls, unsupportedReason } from '@mesh/linux/node'

/** Returns the sum that the kernel kept, or why there is none. */
export function countInKernel(): bigint | string {
  const reason = unsupportedReason()
  if (reason !== undefined) return reason
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(8))
  const number = new DataView(arena.bytes.buffer)
  const fd = calls.eventfd(O_CLOEXEC)
  number.setBigUint64(0, 20n, true)
  calls.write(fd, arena, 0, 8)
  number.setBigUint64(0, 22n, true)
  calls.write(fd, arena, 0, 8)
  calls.read(fd, arena, 0, 8)
  calls.close(fd)
  return number.getBigUint64(0, true)
}
