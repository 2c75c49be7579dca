import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Image } from '../../../src/api/image.ts';
import { loadConfig } from '../../../src/kube/index.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { run } from '../host/scratch.ts';
import { Administrator, StorageHost, testDirectory } from './storage-host.ts';

const admin = new Administrator(sharedClient());
let agent: StorageHost;
let images: string;
let datastoreName: string;

beforeAll(async () => {
  await installCrds(admin.client);
  agent = await StorageHost.start({ connection: loadConfig({ kubeconfigPath: inject('kubeconfig') }) });
  const { path, remove } = testDirectory();
  images = join(path, 'images');
  mkdirSync(images);
  datastoreName = await admin.datastore(path, { hosts: [agent] });
  admin.cleanUp(() => agent.stop());
  admin.cleanUp(remove);
});

afterAll(() => admin.undoAll());

const qemuImg = (...args: readonly string[]) => run('qemu-img', 'create', '-q', ...args);

describe('an Image', () => {
  it('is ready with its format and the size that a guest would see', async () => {
    qemuImg('-f', 'qcow2', join(images, 'good.qcow2'), '3M');
    const name = await admin.image({ datastoreName, path: 'good.qcow2' }, agent.host);
    expect(await admin.imagePhase(name, 'Ready')).toMatchObject({
      path: join(images, 'good.qcow2'),
      format: 'qcow2',
      virtualSizeBytes: 3 * 2 ** 20,
      conditions: [{ type: 'Ready', status: 'True', reason: 'Inspected' }],
    });
  });

  it('becomes ready once its file is there', async () => {
    const name = await admin.image({ datastoreName, path: 'late/file.raw' }, agent.host);
    const status = await admin.imagePhase(name, 'Failed');
    expect(status.conditions).toMatchObject([{ reason: 'NotFound' }]);
    mkdirSync(join(images, 'late'));
    writeFileSync(join(images, 'late/file.raw'), Buffer.alloc(4096));
    expect(await admin.imagePhase(name, 'Ready')).toMatchObject({ format: 'raw', virtualSizeBytes: 4096 });
  });

  it.each([
    [
      'BackingFile',
      'backed.img',
      (path: string) => qemuImg('-f', 'qcow2', '-u', '-b', '/etc/shadow', '-F', 'raw', path, '1M'),
    ],
    [
      'ExternalDataFile',
      'data.img',
      (path: string) => qemuImg('-f', 'qcow2', '-o', `data_file=${path}.data`, path, '1M'),
    ],
    ['UnsupportedFormat', 'disk.vmdk', (path: string) => qemuImg('-f', 'vmdk', path, '1M')],
    ['FormatMismatch', 'page.qcow2', (path: string) => writeFileSync(path, '<html>404 not found</html>')],
    ['OutsideOfImages', 'link.img', (path: string) => symlinkSync('/etc/shadow', path)],
    ['NotAFile', 'fifo.img', (path: string) => run('mkfifo', path)],
    ['NotAFile', 'device.img', (path: string) => run('mknod', path, 'c', '1', '5')],
    ['NotAFile', 'folder.img', (path: string) => mkdirSync(path)],
  ])('is refused with %s (%s)', async (reason, path, make) => {
    make(join(images, path));
    const name = await admin.image({ datastoreName, path }, agent.host);
    const { conditions } = await admin.imagePhase(name, 'Failed');
    expect(conditions).toMatchObject([{ type: 'Ready', status: 'False', reason }]);
    expect(conditions[0]?.message).toContain(join(images, path));
    rmSync(join(images, path), { recursive: true });
  });

  it('is not written about again while it stays as it is, however often it is looked at', async () => {
    qemuImg('-f', 'qcow2', join(images, 'still.qcow2'), '1M');
    const name = await admin.image({ datastoreName, path: 'still.qcow2' }, agent.host);
    await admin.imagePhase(name, 'Ready');
    let version: string | undefined;
    for (const note of ['1', '2', '3']) {
      const body = { metadata: { annotations: { note } } };
      const patched = await admin.client.patch(Image, { name, namespace: 'default' }, { type: 'merge', body });
      version = patched.metadata.resourceVersion;
    }
    // Another Image that is looked at later shows that the agent has seen the changes.
    qemuImg('-f', 'qcow2', join(images, 'last.qcow2'), '1M');
    await admin.imagePhase(await admin.image({ datastoreName, path: 'last.qcow2' }, agent.host), 'Ready');
    const { metadata } = await admin.client.get<Image>(Image, { name, namespace: 'default' });
    expect(metadata.resourceVersion).toBe(version);
  });
});
