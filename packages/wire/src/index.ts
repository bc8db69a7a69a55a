/**
 * Every byte layout a mesh VPN speaks, and the addresses in them: IP, WireGuard, disco, STUN, DERP, Geneve, TSMP, control.
 *
 * @packageDocumentation
 */
export * as control from './control/index.ts'
export * as derp from './derp/index.ts'
export * as disco from './disco/index.ts'
export * as geneve from './geneve/index.ts'
export * as ip from './ip/index.ts'
export * as stun from './stun/index.ts'
export * as tsmp from './tsmp/index.ts'
export * as wireguard from './wireguard/index.ts'
