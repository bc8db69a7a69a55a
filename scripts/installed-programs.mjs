// The programs as a stranger has them who installed the packages: a relay of two threads, a control server and two daemons
// without a TUN, of which one pings the other by name.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** How long a program may take to be ready, milliseconds. */
const PATIENCE = 30_000

/**
 * Tries the programs of the packages that are installed in a folder, with files of theirs in another.
 *
 * @returns Nothing; throws an Error that says which did not do what.
 */
export async function tryPrograms(node, installed, files) {
  const started = []
  const command = (name) => [node, programOf(installed, name)]
  const run = (name, ...args) => runToEnd(command(name), args)
  const start = (name, args, ready) => startAndWait(command(name), args, ready, started)
  try {
    for (const name of ['mesh-relay', 'mesh-control', 'meshd', 'mesh'])
      run(name, name === 'mesh' ? 'version' : '--version')
    const own = ['-c', join(files, 'relay.json'), '--certmode', 'self-signed', '--hostname', '127.0.0.1']
    const alone = ['--stun=false', '--http-port=-1', '--workers=2']
    const [, port, pin] = await start(
      'mesh-relay',
      ['-a', '127.0.0.1:0', ...own, ...alone],
      /listening on https:\/\/127\.0\.0\.1:(\d+)[^]*(sha256-raw:[0-9a-f]{64})/,
    )
    const state = ['--state-dir', join(files, 'control')]
    const relay = ['--relay', `https://127.0.0.1:${port},cert=${pin},stun=off`]
    const [, url] = await start(
      'mesh-control',
      ['serve', '--listen', '127.0.0.1:0', ...state, ...relay],
      /^mesh-control listening on (http:\S+)$/m,
    )
    run('mesh-control', 'users', 'create', 'ann', ...state)
    const key = run('mesh-control', 'preauthkeys', 'create', '--user', 'ann', '--reusable', ...state).trim()
    for (const name of ['a', 'b']) {
      const socket = ['--socket', join(files, `${name}.sock`)]
      const userspace = ['--tun=userspace-networking', '--allow-loopback', '--no-port-mapping']
      await start(
        'meshd',
        [...userspace, ...socket, '--state', join(files, `${name}.state`)],
        /meshd is ready/,
      )
      run(
        'mesh',
        ...socket,
        'up',
        '--login-server',
        url,
        '--auth-key',
        key,
        '--hostname',
        name,
        '--timeout',
        '30s',
      )
    }
    run('mesh', '--socket', join(files, 'a.sock'), 'ping', 'b', '--c', '3')
  } finally {
    for (const child of started.toReversed()) child.kill('SIGKILL')
  }
}

function programOf(installed, name) {
  for (const owner of ['relay', 'control', 'daemon']) {
    const folder = join(installed, 'node_modules', '@mesh', owner)
    const { bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    if (bin[name] !== undefined) return join(folder, bin[name])
  }
  throw new Error(`no package has the program ${name}`)
}

function runToEnd([program, file], args) {
  const { status, stdout, stderr } = spawnSync(program, [file, ...args], {
    encoding: 'utf8',
    timeout: PATIENCE,
  })
  if (status === 0) return stdout
  throw new Error(`${file} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
}

function startAndWait([program, file], args, ready, started) {
  const child = spawn(program, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  return new Promise((resolve, reject) => {
    let said = ''
    const giveUp = () => reject(new Error(`${file} ${args.join(' ')} was not ready:\n${said}`))
    const timer = setTimeout(giveUp, PATIENCE)
    child.on('exit', giveUp)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text
        const match = ready.exec(said)
        if (match === null) return
        clearTimeout(timer)
        resolve(match)
      })
  })
}
