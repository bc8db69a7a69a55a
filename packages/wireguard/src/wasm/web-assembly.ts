// The little of WebAssembly that is used here, declared by ourselves: the standard library's types know it only together
// with the whole browser, and a runtime may well be without it.

/** A memory that never grows, so its buffer stays the same. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

/** The global object, as far as it is used. */
export interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: unknown }
  readonly Memory: new (limits: { initial: number; maximum: number }) => WasmMemory
}

declare const WebAssembly: WebAssemblyApi | undefined

/** Returns the runtime's WebAssembly, or `undefined` where there is none. */
export function webAssembly(): WebAssemblyApi | undefined {
  return typeof WebAssembly === 'undefined' ? undefined : WebAssembly
}
