/**
 * WireGuard whole: peers, handshakes, sessions, timers, cookies, replay windows, allowed IPs, and the data-plane seat.
 *
 * @packageDocumentation
 */
export {}
