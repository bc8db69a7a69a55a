// The relay inside web servers that people already run, on one port with a website that goes on as before.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { publicKeyOf } from '@mesh/keys'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { createRelay, type RelayServer } from '../../src/node/index.ts'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { RawClient } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)

/** A website with one page and one WebSocket of its own, and a relay mounted in it. */
type Mount = (relay: RelayServer) => Promise<Server>

const MOUNTS: Readonly<Record<string, Mount>> = {
  async 'node:http'(relay) {
    return createServer((request, response) => {
      if (relay.handleRequest(request, response)) return
      response.writeHead(request.url === '/' ? 200 : 404).end(request.url === '/' ? 'website' : 'not here')
    })
  },

  async Express(relay) {
    const app = express()
    app.use((request, response, next) => {
      if (!relay.handleRequest(request, response)) next()
    })
    app.get('/', (_request, response) => void response.send('website'))
    return createServer(app)
  },

  async Fastify(relay) {
    const app = fastify()
    app.addHook('onRequest', (request, reply, done) => {
      if (!relay.handleRequest(request.raw, reply.raw)) return done()
      // Answered already: Fastify is to keep its hands off.
      reply.hijack()
    })
    app.get('/', () => 'website')
    await app.ready()
    return app.server
  },

  async Hono(relay) {
    const app = new Hono()
    app.get('/', (context) => context.text('website'))
    const website = getRequestListener(app.fetch)
    return createServer((request, response) => {
      if (!relay.handleRequest(request, response)) void website(request, response)
    })
  },
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test.each(Object.entries(MOUNTS))(
  'S2, S17: mounted in %s the relay and a website share a port',
  async (_name, mount) => {
    const relay = createRelay({ privateKey: RELAY_PRIVATE_KEY })
    const server = await mount(relay)
    const echo = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      // The website's own WebSocket comes first; the relay takes and answers every other upgrade.
      if (request.url !== '/echo') return relay.handleUpgrade(request, socket, head)
      echo.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('message', (data) => webSocket.send(data))
      })
    })
    const port = await listen(server)
    const url = `http://127.0.0.1:${port}`

    expect(await (await fetch(url)).text()).toBe('website')
    expect((await fetch(`${url}/derp/probe`)).status).toBe(200)
    expect((await fetch(`${url}/derp`)).status).toBe(426)
    expect((await fetch(`${url}/nothing`)).status).toBe(404)

    const alice = await RawClient.login(port, 1, SERVER_KEY)
    const bob = await RawClient.login(port, 2, SERVER_KEY)
    alice.send(bob.key, dataPacket(7))
    expect((await bob.until((frame) => frame.type === FRAME_RECV_PACKET)).payload.at(-1)).toBe(7)

    const own = new WebSocket(`ws://127.0.0.1:${port}/echo`)
    await once(own, 'open')
    own.send('hello')
    expect(String((await once(own, 'message'))[0])).toBe('hello')
    own.terminate()

    const other = connect(port, '127.0.0.1')
    other.write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1\.1 404 /)
    other.destroy()

    // The relay leaves; the website stays.
    relay.close()
    await alice.untilEnd()
    expect(await (await fetch(url)).text()).toBe('website')
    echo.close()
    server.closeAllConnections()
    server.close()
  },
)
