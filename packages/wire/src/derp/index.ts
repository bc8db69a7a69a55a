/**
 * DERP, the protocol of relays: frames, their limits, and a reader that cuts them from a stream.
 *
 * @packageDocumentation
 */
export {
  FRAME_CLIENT_INFO,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_HEADER_LENGTH,
  FRAME_HEALTH,
  FRAME_KEEP_ALIVE,
  FRAME_NOTE_PREFERRED,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RECV_PACKET,
  FRAME_RESTARTING,
  FRAME_SEND_PACKET,
  FRAME_SERVER_INFO,
  FRAME_SERVER_KEY,
  FRAME_WATCH_CONNS,
  type Frame,
  MAX_CLIENT_FRAME,
  MAX_CLIENT_INFO,
  MAX_PACKET_LENGTH,
  MAX_PING,
  MIN_CLIENT_INFO,
  decodeFrame,
  encodeFrame,
  writeFrameHeader,
} from './frame.ts'
export * from './frame-limit.ts'
export { FrameReader } from './frame-reader.ts'
export * from './info.ts'
export * from './link.ts'
export * from './login.ts'
export * from './packets.ts'
export * from './peers.ts'
