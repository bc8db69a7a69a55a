// Asking control something small in a node's name, with failures in a node's words.
import { ControlError, type ControlQuestion } from '@mesh/control-client'
import type { ControlConnection } from '@mesh/control-client/node'
import { NetError } from '../errors.ts'
import { explain, notConnected, sentence } from './node-error.ts'

/** Returns what control answers. Rejects with NetError: `ERR_CONTROL_UNREACHABLE`, or `ERR_REFUSED` with control's words. */
export async function askControl(
  control: ControlConnection | undefined,
  question: ControlQuestion,
): Promise<unknown> {
  if (!control) throw notConnected()
  try {
    return await control.ask(question)
  } catch (error) {
    if (error instanceof ControlError && error.code === 'ERR_CONTROL_REFUSED')
      throw new NetError('ERR_REFUSED', sentence(error.message), { cause: error })
    throw explain(error)
  }
}
