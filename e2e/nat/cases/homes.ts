// The homes of the cases, by number: each with an address outside and a network inside of its own.
import { ROUTERS } from '../nat-rules.ts'
import type { RouterSettings } from '../town.ts'

/** A kind of router. */
export type RouterName = keyof typeof ROUTERS

/** Returns how the router of the nth home stands. */
export function home(name: string, number: number, kind: RouterName): RouterSettings {
  return { name, outside: outsideOf(number), network: `192.168.${number}`, kind: ROUTERS[kind] }
}

/** Returns the address outside of the nth home. */
export function outsideOf(number: number): string {
  return `203.0.113.${100 + number}`
}
