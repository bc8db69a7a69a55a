// What this machine tells control about itself.
import { arch, release } from 'node:os'
import type { Hostinfo } from '@mesh/wire/control'

const OS_NAMES: Readonly<Record<string, string>> = {
  linux: 'linux',
  darwin: 'macOS',
  win32: 'windows',
  freebsd: 'freebsd',
}

/** Returns the description of this machine. */
export function hostInfo(hostname: string, version: string, userspace: boolean): Hostinfo {
  return {
    IPNVersion: `${version}-mesh`,
    OS: OS_NAMES[process.platform] ?? process.platform,
    OSVersion: release(),
    Hostname: hostname,
    Machine: arch(),
    Userspace: userspace,
    NoLogsNoSupport: true,
  }
}
