import { expect, test } from 'vitest'
import { hasTag, ownsTag, readPolicy } from '../src/index.ts'

const POLICY = readPolicy(`{
  "groups": { "group:ops": ["bob@"] },
  "tagOwners": {
    "tag:web": ["ann@", "group:ops"],
    "tag:db": ["tag:web"],
    "tag:loop": ["tag:pool"],
    "tag:pool": ["tag:loop", "carl@corp.example"],
    "tag:any": ["autogroup:member"],
    "tag:admin": [],
  },
}`)

test('control 28: a tag is given by its owners: by name, by group, by a tag that owns it, or by anybody', () => {
  const [ann, bob, carl, dan] = [
    { id: 1, name: 'ann' },
    { id: 2, name: 'bob' },
    { id: 3, name: 'carl', email: 'carl@corp.example' },
    { id: 4, name: 'dan' },
  ] as const
  const tags = ['tag:web', 'tag:db', 'tag:loop', 'tag:pool', 'tag:any', 'tag:admin', 'tag:none']
  const ownedBy = [ann, bob, carl, dan].map((user) => tags.filter((tag) => ownsTag(POLICY, user, tag)))
  expect(ownedBy).toEqual([
    ['tag:web', 'tag:db', 'tag:any'],
    ['tag:web', 'tag:db', 'tag:any'],
    ['tag:loop', 'tag:pool', 'tag:any'],
    ['tag:any'],
  ])
})

test('without a written policy there are no tags', () => {
  expect([hasTag(POLICY, 'tag:web'), hasTag(POLICY, 'tag:none')]).toEqual([true, false])
  expect(hasTag({ kind: 'allow-all' }, 'tag:web')).toBe(false)
  expect(ownsTag({ kind: 'allow-all' }, { id: 1, name: 'ann' }, 'tag:web')).toBe(false)
})
