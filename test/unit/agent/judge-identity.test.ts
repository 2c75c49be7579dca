import { describe, expect, it } from 'vitest';
import { type IdentityFacts, judgeIdentity, mayCreateIdentity } from '../../../src/agent/datastores/judge-identity.ts';
import { steadyFreeBytes } from '../../../src/agent/datastores/steady-free.ts';

const facts = (changes: Partial<IdentityFacts> = {}): IdentityFacts => ({
  shared: true,
  fixedId: 'a',
  knownId: undefined,
  foundId: 'a',
  ...changes,
});

describe('judgeIdentity', () => {
  it.each([
    ['a shared directory with the fixed identity', facts(), { ok: true, identity: 'a' }],
    ['a shared directory before the operator has fixed one', facts({ fixedId: undefined }), { ok: false, seen: true }],
    ['a shared directory with another identity', facts({ foundId: 'b' }), { ok: false, seen: false }],
    ['a shared directory without identity', facts({ foundId: undefined }), { ok: false, seen: false }],
    [
      'an own directory seen for the first time',
      facts({ shared: false, fixedId: undefined }),
      { ok: true, identity: 'a' },
    ],
    ['an own directory seen before', facts({ shared: false, knownId: 'a' }), { ok: true, identity: 'a' }],
    [
      'an own directory that is another than before',
      facts({ shared: false, knownId: 'b' }),
      { ok: false, seen: false },
    ],
    [
      'an own directory whose Datastore names an identity by mistake',
      facts({ shared: false, fixedId: 'b' }),
      { ok: true },
    ],
  ])('judges %s', (_what, input, verdict) => {
    expect(judgeIdentity(input)).toMatchObject(verdict);
  });
});

describe('mayCreateIdentity', () => {
  it.each([
    [{ shared: true, fixedId: undefined, knownId: undefined }, true],
    [{ shared: true, fixedId: 'a', knownId: undefined }, false],
    [{ shared: false, fixedId: undefined, knownId: undefined }, true],
    [{ shared: false, fixedId: undefined, knownId: 'a' }, false],
  ])('says for %o: %s', (input, may) => {
    expect(mayCreateIdentity(input)).toBe(may);
  });
});

describe('steadyFreeBytes', () => {
  const GIB = 2 ** 30;
  const TIB = 2 ** 40;

  it.each([
    ['rounds down', undefined, 10.9 * GIB, TIB, 10 * GIB],
    ['stays while there is a little more', 10 * GIB, 11.9 * GIB, TIB, 10 * GIB],
    ['follows when there is much more', 10 * GIB, 12 * GIB, TIB, 12 * GIB],
    ['follows at once when there is less', 10 * GIB, 9.99 * GIB, TIB, 9 * GIB],
    ['counts a small file system in 64 steps', undefined, 1000, 6400, 1000],
    ['is 0 on a full one', 10 * GIB, 0, TIB, 0],
  ])('%s', (_what, reported, free, capacity, shown) => {
    expect(steadyFreeBytes(reported, free, capacity)).toBe(shown);
  });
});
