import { mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LeaseRecord } from '../../../src/api/storage-lease.ts';
import { DatastoreError, DatastoreFiles } from '../../../src/host/index.ts';
import { waitFor } from '../../lab/wait.ts';
import { freezableFileSystem, run, scratchDirectory } from './scratch.ts';

const RECORD: LeaseRecord = {
  host: 'host-1',
  bootID: '5b1b4f0e-9d0e-4d8f-8a1c-7e0100000001',
  keeper: 'a-run',
  sequence: 1,
  selfFenceMs: 14_000,
  watchdogMs: 8_000,
  datastores: ['6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01'],
};

function openFiles(timeoutMs = 30_000): DatastoreFiles {
  const files = new DatastoreFiles({ timeoutMs });
  onTestFinished(() => files.close());
  return files;
}

/** A shared datastore as two hosts have it, each with a process of its own. */
async function datastore(root = scratchDirectory()) {
  const [writer, reader] = [openFiles(), openFiles()];
  const { identity = '' } = await writer.call('probe', { root, create: true });
  const at = { root, identity };
  const write = (record: Partial<LeaseRecord> = {}) =>
    writer.call('writeLease', { ...at, record: { ...RECORD, ...record } });
  const readAll = (hosts: string[]) => reader.call('readLeases', { ...at, hosts });
  const read = async (host = 'host-1') => (await readAll([host])).files[host];
  return { root, at, write, read, readAll, path: join(root, 'leases', 'host-1') };
}

const failureOf = async (call: Promise<unknown>): Promise<string> => {
  const error: unknown = await call.then(
    () => expect.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DatastoreError) return error.failure;
  throw error;
};

describe('the lease of a host on a datastore', () => {
  it('is read by another host as it was written', async () => {
    const { write, read, path } = await datastore();
    await write();
    expect((await read())?.record).toEqual(RECORD);
    await write({ sequence: 2 });
    expect((await read())?.record).toEqual({ ...RECORD, sequence: 2 });
    expect([statSync(path).size, statSync(path).mode & 0o777]).toEqual([4096, 0o600]);
  });

  it('is seen to change by its bytes, and only when it does', async () => {
    const { write, read } = await datastore();
    const before = await read();
    expect(before).toEqual({ digest: '' });
    await write();
    const first = await read();
    expect([first?.digest === before?.digest, (await read())?.digest === first?.digest]).toEqual([false, true]);
    await write({ sequence: 2 });
    expect((await read())?.digest).not.toBe(first?.digest);
  });

  it('is found beside those of all others, which are read with it', async () => {
    const { root, write, readAll } = await datastore();
    for (const host of ['host-3', 'host-1', 'host-2']) await write({ host });
    writeFileSync(join(root, 'leases', '.partial'), '');
    run('mkfifo', join(root, 'leases', 'host-4'));
    const { names, files } = await readAll(['host-1', 'host-3', 'host-4', 'host-5']);
    expect(names).toEqual(['host-1', 'host-2', 'host-3', 'host-4']);
    expect(Object.keys(files)).toEqual(['host-1', 'host-3', 'host-5']);
    expect([files['host-3']?.record?.host, files['host-5']]).toEqual(['host-3', { digest: '' }]);
  });

  it('goes to the disk itself: no cache holds what was not written to it', async () => {
    const { root } = freezableFileSystem();
    const { write } = await datastore(root);
    await write({ host: 'the-host-to-be-found' });
    // Without any sync: the disk below the file system has it.
    expect(readFileSync(join(root, '..', 'disk')).includes('"the-host-to-be-found"')).toBe(true);
  });

  it('has no record when it was damaged, cut off, or made by somebody else', async () => {
    const { write, read, path } = await datastore();
    await write();
    const whole = readFileSync(path);
    const damaged = Buffer.from(whole);
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    for (const content of [damaged, Buffer.alloc(0), Buffer.from('hello\n'), Buffer.alloc(4096)]) {
      writeFileSync(path, content);
      const { record, digest } = (await read()) ?? {};
      expect(record).toBeUndefined();
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
    }
    truncateSync(path, 0);
    await write({ sequence: 9 });
    expect((await read())?.record?.sequence).toBe(9);
  });

  it('is neither written nor read through a link, or below a directory that is one', async () => {
    const { root, write, read, path } = await datastore();
    await write();
    writeFileSync(join(root, 'victim'), 'precious');
    run('rm', path);
    symlinkSync('../victim', path);
    await expect(write()).rejects.toThrow(/ELOOP/);
    expect(await read()).toBeUndefined();
    expect(readFileSync(join(root, 'victim'), 'utf8')).toBe('precious');
    run('rm', '-r', join(root, 'leases'));
    mkdirSync(join(root, 'elsewhere'));
    symlinkSync('elsewhere', join(root, 'leases'));
    expect(await failureOf(write())).toBe('Refused');
  });

  it('is not written where the datastore is not mounted', async () => {
    const { at } = await datastore();
    const other = { ...at, identity: '6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e02' };
    expect(await failureOf(openFiles().call('writeLease', { ...other, record: RECORD }))).toBe('WrongIdentity');
  });

  it('fails in time while the file system is frozen, although the last record can be read on', async () => {
    const { root, freeze, thaw } = freezableFileSystem();
    const { at, write, read } = await datastore(root);
    await write();
    const writer = openFiles(1_000);
    await writer.call('writeLease', { ...at, record: { ...RECORD, sequence: 2 } });
    freeze();
    const late = { ...RECORD, sequence: 3 };
    expect(await failureOf(writer.call('writeLease', { ...at, record: late }))).toBe('Hung');
    expect((await read())?.record?.sequence).toBe(2);
    thaw();
    await waitFor(
      'the lease to be written again',
      async () => {
        const failed = await writer.call('writeLease', { ...at, record: { ...late, sequence: 4 } }).catch(String);
        return typeof failed === 'string' ? { ready: false, because: failed } : { ready: true, value: undefined };
      },
      { timeoutMs: 30_000 },
    );
    expect((await read())?.record?.sequence).toBe(4);
  });
});
