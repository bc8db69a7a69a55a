/**
 * Every byte layout a mesh VPN speaks, and the addresses in them: IP, WireGuard, disco, STUN, DERP, Geneve, TSMP, control.
 *
 * @packageDocumentation
 */
export {}
