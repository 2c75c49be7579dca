import { describe, expect, it } from 'vitest';
import { matchesSelector } from '../../../src/api/common/selector.ts';

const LABELS = { rack: 'a', zone: 'north' };

describe('a label selector', () => {
  it.each([
    ['absent', undefined, true],
    ['empty', {}, true],
    ['the label with the value', { matchLabels: { rack: 'a' } }, true],
    ['the label with another value', { matchLabels: { rack: 'b' } }, false],
    ['one label of two', { matchLabels: { rack: 'a', floor: '1' } }, false],
    ['In, value there', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['south', 'north'] }] }, true],
    ['In, label missing', { matchExpressions: [{ key: 'floor', operator: 'In', values: ['1'] }] }, false],
    ['NotIn, another value', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['south'] }] }, true],
    ['NotIn, label missing', { matchExpressions: [{ key: 'floor', operator: 'NotIn', values: ['1'] }] }, true],
    ['NotIn, value there', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['north'] }] }, false],
    ['Exists', { matchExpressions: [{ key: 'zone', operator: 'Exists' }] }, true],
    ['Exists, label missing', { matchExpressions: [{ key: 'floor', operator: 'Exists' }] }, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'floor', operator: 'DoesNotExist' }] }, true],
    ['DoesNotExist, label there', { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] }, false],
    [
      'labels hold and an expression does not',
      { matchLabels: { rack: 'a' }, matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] },
      false,
    ],
  ] as const)('%s: %j', (_, selector, matches) => {
    const mutable = selector === undefined ? undefined : structuredClone(selector);
    expect(matchesSelector(mutable as Parameters<typeof matchesSelector>[0], LABELS)).toBe(matches);
  });

  it('takes no label from the prototype of an object', () => {
    expect(matchesSelector({ matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, {})).toBe(false);
  });
});
