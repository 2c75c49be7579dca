import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KubeError, type KubeObject, type WatchEvent } from '../../../src/kube/index.ts';
import { readWatchEvents } from '../../../src/kube/watch.ts';

async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function read(chunks: readonly Buffer[]): Promise<WatchEvent<KubeObject>[]> {
  const events: WatchEvent<KubeObject>[] = [];
  for await (const event of readWatchEvents<KubeObject>('watch things', streamOf(chunks))) events.push(event);
  return events;
}

function added(name: string): { type: 'ADDED'; object: KubeObject } {
  return { type: 'ADDED', object: { apiVersion: 'v1', kind: 'Thing', metadata: { name, resourceVersion: '7' } } };
}

describe('readWatchEvents', () => {
  it('finds the same events however the body is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), { maxLength: 8 }),
        fc.array(fc.nat(200), { maxLength: 30 }),
        async (names, cuts) => {
          const body = Buffer.from(names.map((name) => `${JSON.stringify(added(name))}\n`).join(''));
          const ends = [...new Set(cuts.map((cut) => Math.min(cut, body.length)))].sort((a, b) => a - b);
          const chunks = [...ends, body.length].map((end, index) => body.subarray(ends[index - 1] ?? 0, end));
          expect(await read(chunks)).toEqual(names.map(added));
        },
      ),
    );
  });

  it('never fails otherwise than with a KubeError on random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), async (chunks) => {
        try {
          await read([...chunks.map((chunk) => Buffer.from(chunk)), Buffer.from('\n')]);
        } catch (error) {
          expect(error).toBeInstanceOf(KubeError);
        }
      }),
    );
  });

  it('gives bookmarks as versions', async () => {
    const bookmark = { type: 'BOOKMARK', object: { kind: 'Thing', metadata: { resourceVersion: '12' } } };
    expect(await read([Buffer.from(`${JSON.stringify(bookmark)}\n`)])).toEqual([
      { type: 'BOOKMARK', resourceVersion: '12' },
    ]);
  });

  it('turns an ERROR event into an error that says that the version is gone', async () => {
    const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 1 (9)' };
    const error = await read([Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)]).catch((e) => e);
    expect(error.isExpired()).toBe(true);
    expect(error.message).toBe('watch things: too old resource version: 1 (9)');
  });

  it('drops a last line that was cut off', async () => {
    expect(await read([Buffer.from(`${JSON.stringify(added('a'))}\n{"type":"ADD`)])).toEqual([added('a')]);
  });

  it('gives up on a line without end', async () => {
    const chunks = Array.from({ length: 17 }, () => Buffer.alloc(1024 * 1024, 'x'));
    await expect(read(chunks)).rejects.toThrow(/an event is longer than 16777216 bytes/);
  });
});
