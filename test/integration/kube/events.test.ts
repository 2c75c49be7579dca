import { afterAll, describe, expect, it } from 'vitest';
import { EventRecorder, eventKind, type KubeEvent, type KubeObject } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { configMap, configMapKind, newNamespace } from './objects.ts';

const client = sharedClient();
afterAll(() => client.close());

const reporter = { reportingController: 'drover.dev/test', reportingInstance: 'test-0' };

async function eventsIn(namespace: string): Promise<KubeEvent[]> {
  return (await client.list(eventKind, { namespace })).items;
}

function about(regarding: KubeObject, note: string) {
  return { regarding, type: 'Normal', reason: 'Placed', action: 'Placing', note } as const;
}

describe('EventRecorder', () => {
  it('writes an event at once, and what happens again as a series of the same event', async () => {
    const namespace = await newNamespace(client);
    const object = await client.create(configMapKind, configMap(namespace, 'a', {}));
    const recorder = new EventRecorder({ client, ...reporter });
    recorder.record(about(object, 'on h1'));
    const [first] = await eventually('the event is there', async () => {
      const events = await eventsIn(namespace);
      return events.length > 0 ? events : undefined;
    });
    expect(first).toMatchObject({ ...reporter, reason: 'Placed', action: 'Placing', note: 'on h1', type: 'Normal' });
    expect(first?.regarding).toMatchObject({ kind: 'ConfigMap', name: 'a', namespace, uid: object.metadata.uid });
    expect(first?.series).toBeUndefined();

    for (let i = 0; i < 40; i++) recorder.record(about(object, 'on h1'));
    recorder.record(about(object, 'on h2'));
    await recorder.flush();
    const events = (await eventsIn(namespace)).toSorted((a, b) => (a.note < b.note ? -1 : 1));
    expect(events.map(({ note, series }) => [note, series?.count])).toEqual([
      ['on h1', 41],
      ['on h2', undefined],
    ]);
    expect(recorder.droppedTotal).toBe(0);
  });

  it('drops and counts what one object has too much to say, and leaves the others their say', async () => {
    const namespace = await newNamespace(client);
    const noisy = await client.create(configMapKind, configMap(namespace, 'noisy', {}));
    const quiet = await client.create(configMapKind, configMap(namespace, 'quiet', {}));
    const recorder = new EventRecorder({ client, ...reporter, ratePerSecond: 1000 });
    for (let i = 0; i < 100; i++) recorder.record(about(noisy, `note ${i}`));
    recorder.record(about(quiet, 'me too'));
    await recorder.flush();
    const events = await eventsIn(namespace);
    expect(events.filter(({ regarding }) => regarding.name === 'noisy')).toHaveLength(25);
    expect(events.filter(({ regarding }) => regarding.name === 'quiet')).toHaveLength(1);
    expect(recorder.droppedTotal).toBe(75);
  });

  it('keeps events for later while the server does not answer, and writes them when it does', async () => {
    const namespace = await newNamespace(client);
    const object = await client.create(configMapKind, configMap(namespace, 'a', {}));
    const errors: unknown[] = [];
    const recorder = new EventRecorder({ client, ...reporter, onError: (error) => errors.push(error) });
    recorder.record(about(object, 'on h1'));
    await recorder.flush(AbortSignal.abort());
    expect([errors.length, recorder.droppedTotal]).toEqual([1, 0]);
    await recorder.flush();
    expect(await eventsIn(namespace)).toHaveLength(1);
  });

  it('drops and counts what the server refuses', async () => {
    const namespace = await newNamespace(client);
    const object = await client.create(configMapKind, configMap(namespace, 'a', {}));
    const errors: unknown[] = [];
    const recorder = new EventRecorder({ client, ...reporter, onError: (error) => errors.push(error) });
    recorder.record({ ...about(object, 'x'), action: '' });
    await recorder.flush();
    expect(recorder.droppedTotal).toBe(1);
    expect(errors).toMatchObject([{ code: 422 }]);
  });
});
