/**
 * Noise IK (control channel) and IKpsk2 (WireGuard) handshakes and cipher states, over a seat for faster crypto.
 *
 * @packageDocumentation
 */
export {}
