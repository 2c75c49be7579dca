import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLaterTerm, kernelBootOf, nextTerm } from '../../../../src/core/ha/term.ts';

const KERNEL = '4f1c2d3e-5b6a-4789-8abc-0123456789ab';
const terms = (count: number) =>
  Array.from({ length: count }).reduce<string[]>((all) => [...all, nextTerm(all.at(-1) ?? '')], [KERNEL]);

describe('a term of a boot', () => {
  it('is the boot itself, then numbered from 2 on', () => {
    expect(terms(2)).toEqual([KERNEL, `${KERNEL}.2`, `${KERNEL}.3`]);
  });

  it('has room in every field that holds a boot id, however often a lease lapses', () => {
    expect(`${KERNEL}.999999999`.length).toBeLessThanOrEqual(64);
  });

  it('is later than all before it of the same boot, and than no other', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(30), (a, b) => {
        const all = terms(30);
        const [one, other] = [all[a] ?? '', all[b] ?? ''];
        expect(isLaterTerm(one, other)).toBe(a > b);
        expect(kernelBootOf(one)).toBe(KERNEL);
        expect(isLaterTerm(one, one.replace('4f1c', 'ffff'))).toBe(false);
      }),
    );
  });
});
