import { expect, test } from 'vitest'
import { World } from './support.ts'

test('threat 8: an API key is known by its secret, of which only a hash is kept', () => {
  const { coordinator } = new World()
  const { text, key } = coordinator.apiKeys.create()
  expect(text).toMatch(/^meshkey-api-[0-9a-f]{12}-[0-9a-f]{64}$/)
  expect(JSON.stringify([coordinator.apiKeys.all(), coordinator.backup()])).not.toContain(text.slice(-64))
  expect(coordinator.apiKeys.find(text)).toEqual(key)
  const other = text.endsWith('0') ? '1' : '0'
  for (const wrong of ['', 'x', text.slice(0, -1), text.slice(0, -1) + other, `${text}0`, key.prefix])
    expect([wrong, coordinator.apiKeys.find(wrong)]).toEqual([wrong, undefined])
})

test('a key that lets machines in administers nothing, and the other way round', () => {
  const world = new World()
  world.coordinator.accounts.createUser({ name: 'ann' })
  const { text } = world.coordinator.accounts.createPreAuthKey({ user: 'ann' })
  expect(world.coordinator.apiKeys.find(text)).toBeUndefined()
  expect(world.coordinator.apiKeys.find(text.replace('-auth-', '-api-'))).toBeUndefined()
})

test('an API key ends when its time is over, when it is expired, and when it is removed', () => {
  const world = new World()
  const { apiKeys } = world.coordinator
  const [short, ended, removed] = [apiKeys.create(1000), apiKeys.create(), apiKeys.create()]
  expect(apiKeys.find(short.text)).toBeDefined()
  world.advance(1000)
  expect(apiKeys.find(short.text)).toBeUndefined()
  expect(apiKeys.expire(ended.text).id).toBe(ended.key.id)
  expect(apiKeys.find(ended.text)).toBeUndefined()
  expect(apiKeys.delete(removed.key.prefix).id).toBe(removed.key.id)
  expect(apiKeys.find(removed.text)).toBeUndefined()
  expect(apiKeys.all().map(({ id }) => id)).toEqual([1, 2])
  expect(() => apiKeys.delete(removed.key.prefix)).toThrow('There is no such API key.')
})

test('a removed pre-auth key lets nobody in any more', () => {
  const world = new World()
  const { coordinator } = world
  coordinator.accounts.createUser({ name: 'ann' })
  const { text } = coordinator.accounts.createPreAuthKey({ user: 'ann', reusable: true })
  const beginning = text.slice(0, 'meshkey-auth-'.length + 12)
  expect(coordinator.accounts.deletePreAuthKey(`${beginning}-***`).id).toBe(1)
  expect(coordinator.accounts.preAuthKeys()).toEqual([])
  expect(() => coordinator.accounts.deletePreAuthKey(text)).toThrow('There is no such pre-auth key.')
})
