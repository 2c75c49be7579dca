import { describe, expect, it } from 'vitest';
import { NOT_SEEN_YET } from '../../../src/api/common/status.ts';
import { type Condition, findCondition, isTrue, setCondition, setConditions } from '../../../src/runtime/index.ts';

const before = new Date('2030-01-01T00:00:00.500Z');
const later = new Date('2030-01-01T01:00:00.500Z');
const ready = { type: 'Ready', status: 'True', reason: 'Running', message: 'runs', observedGeneration: 1 } as const;

function conditions(): readonly Condition[] {
  return setCondition([], ready, before);
}

describe('setCondition', () => {
  it('stamps a new condition with whole seconds, as metav1.Time has', () => {
    expect(conditions()).toEqual([{ ...ready, lastTransitionTime: '2030-01-01T00:00:00Z' }]);
  });

  it('returns the very same list when nothing changed', () => {
    const list = conditions();
    expect(setCondition(list, { ...ready }, later)).toBe(list);
  });

  it.each([
    { change: { status: 'False' as const }, time: '2030-01-01T01:00:00Z' },
    { change: { reason: 'Other' }, time: '2030-01-01T00:00:00Z' },
    { change: { message: 'other' }, time: '2030-01-01T00:00:00Z' },
    { change: { observedGeneration: 2 }, time: '2030-01-01T00:00:00Z' },
  ])('moves the transition time only with the status: $change', ({ change, time }) => {
    const list = setCondition(conditions(), { ...ready, ...change }, later);
    expect(list).toEqual([{ ...ready, ...change, lastTransitionTime: time }]);
  });

  it('gives the default of the CRD, which tells no time, the time when it was first written', () => {
    const unknown = { ...ready, status: 'Unknown' } as const;
    const [initial] = NOT_SEEN_YET.conditions;
    expect(setCondition([initial], unknown, later)).toEqual([
      { ...unknown, lastTransitionTime: '2030-01-01T01:00:00Z' },
    ]);
  });

  it('keeps the conditions of others, sorted by type', () => {
    const scheduled = { ...ready, type: 'Scheduled' };
    const list = setConditions(conditions(), [scheduled, { ...ready, type: 'Migratable' }], later);
    expect(list.map(({ type }) => type)).toEqual(['Migratable', 'Ready', 'Scheduled']);
    expect(findCondition(list, 'Ready')).toBe(findCondition(list, 'Ready'));
    expect([isTrue(list, 'Ready'), isTrue(list, 'Nope'), isTrue(undefined, 'Ready')]).toEqual([true, false, false]);
  });
});
