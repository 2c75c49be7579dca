import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { Datastore } from '../../../src/api/datastore.ts';
import { loadConfig } from '../../../src/kube/index.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { Administrator, StorageHost, type StorageHostOptions, testDirectory, uniqueName } from './storage-host.ts';

const admin = new Administrator(sharedClient());
const connection = loadConfig({ kubeconfigPath: inject('kubeconfig') });

beforeAll(() => installCrds(admin.client));
afterAll(() => admin.undoAll());

async function startHost(options: Omit<StorageHostOptions, 'connection'> = {}): Promise<StorageHost> {
  const host = await StorageHost.start({ connection, ...options });
  onTestFinished(() => host.stop());
  return host;
}

function directory(): string {
  const { path, remove } = testDirectory();
  onTestFinished(remove);
  return path;
}

async function create(path: string, shared: boolean): Promise<string> {
  const name = uniqueName('ds');
  await admin.create(Datastore, { metadata: { name }, spec: { type: 'Directory', path, shared } });
  return name;
}

const entry = (host: StorageHost, name: string) => host.datastores.report().find((report) => report.name === name);

describe('a shared Datastore', () => {
  it('gets one identity, is usable once the operator has fixed it, and is the same on all hosts', async () => {
    const path = directory();
    const [one, other] = [await startHost(), await startHost()];
    const name = await create(path, true);
    const seen = await eventually('both hosts see it', () => {
      const [a, b] = [entry(one, name), entry(other, name)];
      return a?.available && b?.available && { a, b };
    });
    expect(seen.a.id).toBe(seen.b.id);
    expect(readFileSync(join(path, '.drover-datastore'), 'utf8')).toBe(`${seen.a.id}\n`);
    expect(one.datastores.access(name).ok).toBe(false);
    await admin.operatorWrites(Datastore, { name }, { id: seen.a.id });
    await eventually('both may use it', () => one.datastores.access(name).ok && other.datastores.access(name).ok);
  });

  it('is not seen by a host that has another directory there, nor by one that has none', async () => {
    const [mounted, other] = [directory(), directory()];
    const host = await startHost();
    const [good, empty, wrong] = [
      await create(mounted, true),
      await create(other, true),
      await create(join(other, 'x'), true),
    ];
    const id = await eventually('an identity', () => entry(host, good)?.id);
    for (const name of [good, empty]) await admin.operatorWrites(Datastore, { name }, { id });
    const refused = await eventually('the wrong directory is refused', () => {
      const seen = entry(host, empty);
      return seen?.available === false && seen;
    });
    expect(refused.message).toMatch(/is not|another directory|mount/);
    expect(host.datastores.access(empty).ok).toBe(false);
    expect(await eventually('the missing one is refused', () => entry(host, wrong))).toMatchObject({
      available: false,
      message: expect.stringContaining('is not a directory on this host'),
    });
  });

  it('that lost its identity gets no new one', async () => {
    const path = directory();
    const host = await startHost();
    const name = await create(path, true);
    const id = await eventually('an identity', () => entry(host, name)?.id);
    await admin.operatorWrites(Datastore, { name }, { id });
    await eventually('it may be used', () => host.datastores.access(name).ok);
    rmSync(join(path, '.drover-datastore'));
    await eventually('it is refused', () => entry(host, name)?.available === false);
    expect(() => readFileSync(join(path, '.drover-datastore'))).toThrow(/ENOENT/);
  });
});

describe('a Datastore that a host has lost', () => {
  it('is told with the time at which that was noticed, and is found again when it is back', async () => {
    const path = directory();
    const disk = join(path, 'volumes/default/web.qcow2');
    const host = await startHost({ diskPaths: [disk] });
    const name = await create(path, true);
    const id = await eventually('an identity', () => entry(host, name)?.id);
    await admin.operatorWrites(Datastore, { name }, { id });
    await eventually('it is usable', () => host.datastores.access(name).ok);
    expect([entry(host, name)?.loss, host.datastores.lostDatastoreOf(disk)]).toEqual([undefined, undefined]);
    const tornOffMs = Date.now();
    renameSync(path, `${path}.away`);
    onTestFinished(() => rmSync(`${path}.away`, { recursive: true, force: true }));
    const { loss } = await eventually('the loss', () => {
      const seen = entry(host, name);
      return seen?.loss && seen;
    });
    expect(loss?.reason).toBe('PermanentlyLost');
    expect(Date.parse(loss?.since ?? '')).toBeGreaterThanOrEqual(tornOffMs);
    expect(host.datastores.lostDatastoreOf(disk)).toBe(name);
    expect(host.datastores.lostDatastoreOf('/elsewhere/web.qcow2')).toBeUndefined();
    // An empty mount point is a loss as well, and the same one.
    mkdirSync(path);
    await eventually('the empty mount point', () => entry(host, name)?.message.includes('mounted'));
    expect(entry(host, name)?.loss).toEqual(loss);
    rmSync(path, { recursive: true });
    renameSync(`${path}.away`, path);
    await eventually('it is back', () => entry(host, name)?.loss === undefined && host.datastores.access(name).ok);
    expect(host.datastores.lostDatastoreOf(disk)).toBeUndefined();
  });

  it('is as long lost as the agent before this one has told', async () => {
    const loss = { reason: 'AllPathsDown', since: '2026-01-01T00:00:00.000Z' } as const;
    const reportedBefore = (name: string) => ({ name, available: false, message: '', loss });
    const host = await startHost({ reportedBefore });
    const name = await create(join(directory(), 'gone'), true);
    const seen = await eventually('it is looked at', () => entry(host, name));
    expect(seen.loss).toEqual({ reason: 'PermanentlyLost', since: loss.since });
  });

  it('is not one of which the host merely may not look inside', async () => {
    const path = directory();
    const host = await startHost();
    const name = await create(path, true);
    await eventually('an identity', () => entry(host, name)?.id);
    rmSync(join(path, '.drover-datastore'));
    mkdirSync(join(path, '.drover-datastore'));
    await eventually('it is refused', () => entry(host, name)?.available === false);
    expect(entry(host, name)?.loss).toBeUndefined();
  });
});

describe('a Datastore that is not shared', () => {
  it('is told from the empty directory that is left when it is not mounted, also by an agent that was restarted', async () => {
    const path = directory();
    const stateDirectory = directory();
    const name = await create(path, false);
    const first = await StorageHost.start({ connection, stateDirectory });
    const id = await eventually('it is usable', () => first.datastores.access(name).ok && entry(first, name)?.id);
    await first.stop();
    renameSync(path, `${path}.unmounted`);
    onTestFinished(() => rmSync(`${path}.unmounted`, { recursive: true, force: true }));
    mkdirSync(path);
    const second = await startHost({ stateDirectory });
    const refused = await eventually('it is refused', () => entry(second, name));
    expect(refused).toMatchObject({ available: false, message: expect.stringContaining(String(id)) });
    rmSync(path, { recursive: true });
    renameSync(`${path}.unmounted`, path);
    await eventually('it is back', () => second.datastores.access(name).ok);
    expect(entry(second, name)?.id).toBe(id);
  });

  it('is forgotten with its object', async () => {
    const path = directory();
    const host = await startHost();
    const name = await create(path, false);
    await eventually('it is seen', () => entry(host, name));
    await admin.client.delete(Datastore, { name });
    await eventually('it is gone', () => entry(host, name) === undefined);
    expect(host.datastores.access(name)).toEqual({ ok: false, message: `there is no Datastore ${name}` });
  });
});
