import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EventInput, eventIdentity, toEvent } from '../../../src/kube/event.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
import { TokenBucket } from '../../../src/kube/token-bucket.ts';
import { VirtualClock } from './virtual-clock.ts';

const vm: KubeObject = {
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'VirtualMachine',
  metadata: { namespace: 'shop', name: 'web', uid: 'u1' },
};
const host: KubeObject = { apiVersion: 'drover.dev/v1alpha1', kind: 'Host', metadata: { name: 'h1', uid: 'u2' } };
const input: EventInput = { regarding: vm, type: 'Normal', reason: 'Placed', action: 'Placing', note: 'on h1' };
const reporter = { reportingController: 'drover.dev/operator', reportingInstance: 'op-0' };
const now = new Date('2030-01-01T00:00:00.123Z');

describe('events', () => {
  it('stand in the namespace of what they regard, or in default', () => {
    expect(toEvent(input, reporter, now).metadata.namespace).toBe('shop');
    expect(toEvent({ ...input, regarding: host }, reporter, now).metadata.namespace).toBe('default');
  });

  it('have times with microseconds, and references without what is not known', () => {
    const event = toEvent({ ...input, related: host }, reporter, now);
    expect(event.eventTime).toBe('2030-01-01T00:00:00.123000Z');
    expect(event.related).toEqual({ apiVersion: 'drover.dev/v1alpha1', kind: 'Host', name: 'h1', uid: 'u2' });
  });

  it('fit the limits of the API whatever the note and the name are', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 2000 }),
        fc.integer({ min: 1, max: 253 }),
        (note, length) => {
          const regarding = { ...vm, metadata: { ...vm.metadata, name: 'x'.repeat(length) } };
          const event = toEvent({ ...input, regarding, note }, reporter, now);
          expect(Buffer.byteLength(event.note)).toBeLessThan(1024);
          expect(note.startsWith(event.note)).toBe(true);
          expect(event.metadata.name.length).toBeLessThanOrEqual(253);
        },
      ),
    );
  });

  it('are one series only when everything that people see is the same', () => {
    const identity = eventIdentity(input);
    expect(eventIdentity({ ...input })).toBe(identity);
    const others: EventInput[] = [
      { ...input, note: 'on h2' },
      { ...input, reason: 'Moved' },
      { ...input, type: 'Warning' },
      { ...input, related: host },
      { ...input, regarding: { ...vm, metadata: { ...vm.metadata, uid: 'u9' } } },
    ];
    expect(others.map(eventIdentity)).not.toContain(identity);
  });
});

describe('TokenBucket', () => {
  it('lets a burst pass, then its rate', async () => {
    const clock = new VirtualClock();
    const bucket = new TokenBucket(clock, 2, 5);
    const passed = () => Array.from({ length: 20 }, () => bucket.take()).filter((took) => took).length;
    expect(passed()).toBe(5);
    await clock.advance(1_000);
    expect([bucket.isFull(), passed()]).toEqual([false, 2]);
    await clock.advance(60_000);
    expect([bucket.isFull(), passed()]).toEqual([true, 5]);
  });
});
