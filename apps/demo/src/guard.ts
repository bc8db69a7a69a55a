// Ends the children of a process that was itself killed. A shell of its own reads their numbers from a pipe, and when the
// pipe breaks, in whatever way its other end came to its end, it kills the process groups that are left.
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

const SCRIPT = `
  pids=' '
  while read -r sign pid; do
    case $sign in
      +) pids="$pids$pid " ;;
      -) pids=\${pids%% "$pid" *}' '\${pids#* "$pid" } ;;
    esac
  done
  for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done`

/** The pipe to the guard, once there is one. */
let pipe: Socket | undefined

/** Says that a process group is to end with this process. */
export function guardGroup(pid: number): void {
  pipe ??= openGuard()
  pipe.write(`+ ${pid}\n`)
}

/** Says that a process group has ended: its number may be another's next. */
export function releaseGroup(pid: number): void {
  pipe?.write(`- ${pid}\n`)
}

/** In a session of its own, so that Ctrl-C does not end the guard before the guarded. Neither holds this process up. */
function openGuard(): Socket {
  const guard = spawn('sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  guard.on('error', () => undefined)
  const opened = guard.stdin as Socket
  opened.on('error', () => undefined)
  return opened.unref()
}
