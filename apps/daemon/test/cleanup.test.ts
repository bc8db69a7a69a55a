// `meshd --cleanup`.
import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MESHD_COMMAND, Workshop } from './support.ts'

let shop: Workshop
let socket = ''
beforeEach(() => {
  shop = new Workshop()
  socket = shop.path('s.sock')
})
afterEach(() => shop.close())

test('takes away the socket of a daemon that was killed, and is content when there is nothing', async () => {
  const daemon = await shop.daemon(socket)
  daemon.kill('SIGKILL')
  await daemon.ended
  expect(existsSync(socket)).toBe(true)
  const clean = () => shop.run('meshd', '--cleanup', '--tun=userspace-networking', '--socket', socket)
  expect(await clean()).toMatchObject({ code: 0, stderr: `removed socket ${socket}\n` })
  expect(existsSync(socket)).toBe(false)
  expect(await clean()).toMatchObject({ code: 0, stderr: '' })
})

test('leaves a daemon that runs alone', async () => {
  await shop.daemon(socket)
  const { code, stderr } = await shop.run(
    'meshd',
    '--cleanup',
    '--tun=userspace-networking',
    '--socket',
    socket,
  )
  expect([code, stderr.trim()]).toEqual([
    1,
    `meshd: A meshd is running on ${socket}: stop it before the cleanup.`,
  ])
})

test('takes away a TUN that was made to last, and no other interface', ({ skip }) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) skip('needs root and a network namespace')
  const clean = (name: string): string => `${MESHD_COMMAND} --cleanup --tun=${name} --socket ${socket}`
  const script = shop.path('script.sh')
  const lines = [
    'ip tuntap add mesh7 mode tun',
    'ip link add kept type veth peer name other',
    clean('mesh7'),
    clean('kept'),
    'ip -o link | grep -o -e mesh7 -e kept: || true',
  ]
  writeFileSync(script, lines.join('\n'))
  const printed = execFileSync('unshare', ['-n', 'sh', '-e', script], { encoding: 'utf8', stdio: 'pipe' })
  expect(printed.trim().split('\n')).toEqual(['kept:'])
})
