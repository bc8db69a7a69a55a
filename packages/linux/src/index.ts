/**
 * Linux system calls from JavaScript through `node:ffi`: one never-growing arena a thread, every offset and length
 * checked before the kernel sees it, and no address outside one file. Here are the numbers of the headers; the calls
 * themselves are in `@mesh/linux/node`.
 *
 * @packageDocumentation
 */
export * from './numbers.ts'
