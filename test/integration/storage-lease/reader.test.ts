import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LeaseFolder } from '../../../src/agent/storage-lease/folder.ts';
import { openLeaseFiles } from '../../../src/agent/storage-lease/machine.ts';
import { leaseReader } from '../../../src/agent/storage-lease/reader.ts';
import type { LeaseRecord } from '../../../src/api/storage-lease.ts';
import { judgeLease } from '../../../src/core/ha/storage-lease.ts';
import { IDENTITY_FILE } from '../../../src/host/datastore/identity.ts';
import { bootTimeMs, DatastoreFiles } from '../../../src/host/index.ts';
import { createLogger, systemClock } from '../../../src/runtime/index.ts';
import { waitFor } from '../../lab/wait.ts';
import { freezableFileSystem, scratchDirectory } from '../host/scratch.ts';

const SOON = { timeoutMs: 60_000 };

/** Two hosts on one shared datastore: host-1 reads, host-2 writes. */
async function world() {
  const { root } = freezableFileSystem();
  const files = new DatastoreFiles();
  onTestFinished(() => files.close());
  const { identity = '' } = await files.call('probe', { root, create: true });
  const folder = new LeaseFolder(join(scratchDirectory(), 'lease'));
  const reader = leaseReader({
    host: 'host-1',
    datastores: { access: () => ({ ok: true, root, identity }), complete: Promise.resolve() },
    shared: () => ['shared'],
    folder,
    machine: { bootTimeMs, openFiles: openLeaseFiles },
    clock: systemClock,
    log: createLogger({ name: 'test', level: 'fatal' }),
  });
  const stop = new AbortController();
  const running = reader.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  let sequence = 0;
  const write = async (changes: Partial<LeaseRecord> = {}) => {
    const times = { selfFenceMs: 1_000, watchdogMs: 500 };
    const record = {
      host: 'host-2',
      bootID: 'boot-1',
      keeper: 'a',
      sequence: sequence++,
      ...times,
      datastores: [identity],
    };
    await files.call('writeLease', { root, identity, record: { ...record, ...changes } });
  };
  const view = () => judgeLease('host-2', 'boot-1', [reader.answer()]);
  const sees = (kind: ReturnType<typeof view>['kind']) =>
    waitFor(
      `the lease to be ${kind}`,
      () => (view().kind === kind ? { ready: true, value: view() } : { ready: false, because: JSON.stringify(view()) }),
      SOON,
    );
  return { root, identity, folder, write, view, sees };
}

describe("another host's lease", () => {
  it('is alive only after it was seen to change, and has lapsed when it did not for long enough', async () => {
    const { write, view, sees } = await world();
    await write();
    await sees('Silent');
    await write();
    await sees('Alive');
    const lastSeenMs = performance.now();
    await sees('Lapsed');
    // Alive for 7 s, and by the rule for (1 + 2 x 1.5) x 1.02 s: whichever is longer.
    expect(performance.now() - lastSeenMs).toBeGreaterThan(4_000);
    await write();
    await sees('Alive');
    expect(view()).toMatchObject({ by: 'host-1' });
  });

  it('is unknown while the datastore cannot be read, however long that lasts', async () => {
    const { write, view, sees, root } = await world();
    await write();
    await sees('Silent');
    await write();
    await sees('Alive');
    // As when another file system is mounted there.
    const [file, away] = [join(root, IDENTITY_FILE), join(root, 'away')];
    renameSync(file, away);
    await sees('Unknown');
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(view().kind).toBe('Unknown');
    renameSync(away, file);
    await write();
    await sees('Alive');
  });

  it('is told to this host’s keeper where to lie: on the shared datastores, by identity', async () => {
    const { folder, root, identity } = await world();
    await waitFor(
      'the wish',
      () => (folder.readWish().datastores.length > 0 ? { ready: true, value: 0 } : { ready: false, because: 'none' }),
      SOON,
    );
    expect(folder.readWish()).toEqual({ datastores: [{ root, identity }] });
  });
});
