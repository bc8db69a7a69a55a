// What a node keeps of its keys and of its control server's, and what it makes of a state that is damaged.
import { formatMachineKey } from '@mesh/keys'
import { seededRandom } from '@mesh/sansio'
import { describe, expect, test } from 'vitest'
import { CONTROL_KEYS, MACHINE_KEY, memoryStore, NODE_KEY } from '../../src/index.ts'
import { loadKeys, pinControlKey, pinnedControlKey, saveKeys } from '../../src/node/node-keys.ts'

const URL = 'http://control'
const PIN = new Uint8Array(32).fill(9)
const UNREADABLE = expect.objectContaining({ code: 'ERR_STATE_UNREADABLE' }) as Error

test('keys are fresh until they are kept, and then the same', async () => {
  const store = memoryStore()
  const random = seededRandom(1)
  const keys = loadKeys(store, random)
  expect(loadKeys(store, random)).not.toEqual(keys)
  await saveKeys(store, keys)
  expect(loadKeys(store, random)).toEqual(keys)
})

test.each([MACHINE_KEY, NODE_KEY])(
  'a damaged %s ends the start: another key would be another node',
  (name) => {
    for (const text of ['', 'privkey:00', 'nonsense'])
      expect(() => loadKeys(memoryStore({ [name]: text }), seededRandom(1))).toThrow(UNREADABLE)
  },
)

describe('the key of a control server', () => {
  test('is kept by its address, beside those of others', async () => {
    const store = memoryStore()
    expect(pinnedControlKey(store, URL)).toBeUndefined()
    await pinControlKey(store, URL, PIN)
    await pinControlKey(store, 'http://other', new Uint8Array(32).fill(8))
    expect(pinnedControlKey(store, URL)).toEqual(PIN)
  })

  test('threat 30: that is damaged is not as if there had been none, when any key would do', () => {
    const key = formatMachineKey(PIN)
    const damaged = [`{"${URL}":"${key.slice(0, -1)}"}`, `{"${URL}":""}`, `{"${URL}":7}`, 'null', '{', '']
    for (const text of damaged)
      expect(() => pinnedControlKey(memoryStore({ [CONTROL_KEYS]: text }), URL)).toThrow(UNREADABLE)
  })
})
