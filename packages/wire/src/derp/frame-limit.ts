// How long a frame may claim to be, by its type: the bound on what a stranger can make us remember.
import {
  FRAME_CLIENT_INFO,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_NOTE_PREFERRED,
  FRAME_PING,
  FRAME_PONG,
  FRAME_SEND_PACKET,
  FRAME_WATCH_CONNS,
  MAX_CLIENT_FRAME,
  MAX_CLIENT_INFO,
  MAX_PACKET_LENGTH,
  MAX_PING,
} from './frame.ts'

/** Says for a frame type how many bytes of payload are read at most, or {@link SKIP_FRAME}. */
export type FrameLimit = (type: number) => number

/** The limit of a frame that is passed over: any length, nothing kept, nothing yielded. */
export const SKIP_FRAME = -1

const KEY = 32

const SERVER_LIMITS: ReadonlyMap<number, number> = new Map([
  [FRAME_CLIENT_INFO, MAX_CLIENT_INFO],
  [FRAME_SEND_PACKET, KEY + MAX_PACKET_LENGTH],
  [FRAME_NOTE_PREFERRED, 1],
  [FRAME_FORWARD_PACKET, 2 * KEY + MAX_PACKET_LENGTH],
  [FRAME_WATCH_CONNS, 0],
  [FRAME_CLOSE_PEER, KEY],
  [FRAME_PING, MAX_PING],
  [FRAME_PONG, MAX_PING],
])

/** What a server reads from a client: its own limit for each type, and unknown types are passed over. */
export const serverFrameLimit: FrameLimit = (type) => SERVER_LIMITS.get(type) ?? SKIP_FRAME

/** What a client reads from a server: up to 1 MiB of anything. */
export const clientFrameLimit: FrameLimit = () => MAX_CLIENT_FRAME
