// Ends the packet thread of the Node process that listens for an inspector at the port given, and nothing else of it.
const [, , port = ''] = process.argv

interface Message {
  readonly method?: string
  readonly params?: { readonly sessionId: string; readonly workerInfo?: { readonly title: string } }
}

const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
  webSocketDebuggerUrl: string
}[]
const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '')
let id = 0
const send = (method: string, params: object): void => {
  id += 1
  socket.send(JSON.stringify({ id, method, params }))
}

socket.addEventListener('open', () => send('NodeWorker.enable', { waitForDebuggerOnStart: false }))
socket.addEventListener('message', ({ data }) => {
  const { method, params } = JSON.parse(String(data)) as Message
  if (params === undefined) return
  if (method === 'NodeWorker.attachedToWorker' && params.workerInfo?.title.includes('packets') === true) {
    const expression = 'process.exit(1)'
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } })
    send('NodeWorker.sendMessageToWorker', { sessionId: params.sessionId, message })
  }
  if (method === 'NodeWorker.detachedFromWorker') {
    console.log('ended')
    process.exit(0)
  }
})
