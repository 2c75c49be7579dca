import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import type { VolumeStatus } from '../../../src/api/volume.ts';
import { loadConfig } from '../../../src/kube/index.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { run, smallFileSystem } from '../host/scratch.ts';
import { Administrator, StorageHost, testDirectory, volumeFilesIn } from './storage-host.ts';

const MIB = 2 ** 20;
const admin = new Administrator(sharedClient());
const connection = loadConfig({ kubeconfigPath: inject('kubeconfig') });
let agent: StorageHost;
let root: string;
let datastoreName: string;

beforeAll(async () => {
  await installCrds(admin.client);
  agent = await StorageHost.start({ connection });
  const directory = testDirectory();
  root = directory.path;
  admin.cleanUp(() => agent.stop());
  mkdirSync(join(root, 'images'));
  datastoreName = await admin.datastore(root, { hosts: [agent] });
  admin.cleanUp(directory.remove);
});

afterAll(() => admin.undoAll());

function dataOf(status: VolumeStatus): string {
  return status.path ?? expect.fail('the Volume has no path');
}

/** Bytes that a guest would see. */
function content(path: string): Buffer {
  const raw = `/tmp/${randomBytes(6).toString('hex')}`;
  onTestFinished(() => rmSync(raw, { force: true }));
  run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, raw);
  return readFileSync(raw);
}

async function imageOf(
  bytes: number,
  name = `${randomBytes(4).toString('hex')}.raw`,
): Promise<{ imageName: string; data: Buffer }> {
  const data = randomBytes(bytes);
  writeFileSync(join(root, 'images', name), data);
  const imageName = await admin.image({ datastoreName, path: name }, agent.host);
  await admin.imagePhase(imageName, 'Ready');
  return { imageName, data };
}

/**
 * Lets one copy of this folder begin at a rate at which it is far from its end when it is found, and freezes it there: as
 * slow as storage can be.
 */
async function freezeCopy(begin: () => Promise<void>): Promise<{ resume(): void; isGone(): boolean }> {
  const endSlowness = slowCopies();
  try {
    await begin();
    const pid = await eventually('qemu-img to begin', () =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .find((candidate) => isCopyOfThisFolder(commandOf(candidate))),
    );
    process.kill(pid, 'SIGSTOP');
    const copy = {
      resume: () => process.kill(pid, 'SIGCONT'),
      isGone: () => !isCopyOfThisFolder(commandOf(pid)),
    };
    onTestFinished(() => {
      if (!copy.isGone()) copy.resume();
    });
    return copy;
  } finally {
    endSlowness();
  }
}

/** Puts a qemu-img first in the PATH that copies no more than 4 MiB a second. */
function slowCopies(): () => void {
  const { path, remove } = testDirectory();
  const usual = process.env['PATH'];
  const qemuImg = run('sh', '-c', 'command -v qemu-img').trim();
  writeFileSync(
    join(path, 'qemu-img'),
    `#!/bin/bash\n[ "$1" = convert ] && set -- convert -r 4M "\${@:2}"\nexec -a qemu-img ${qemuImg} "$@"\n`,
    { mode: 0o755 },
  );
  process.env['PATH'] = `${path}:${usual}`;
  return () => {
    process.env['PATH'] = usual;
    remove();
  };
}

function isCopyOfThisFolder(command: string): boolean {
  return command.startsWith('qemu-img\0convert') && command.includes(root);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('a blank Volume', () => {
  it('is made with one write of its status, readable to root only', async () => {
    const before = agent.writesTo('volumes/status');
    const name = await admin.volume({ datastoreName, size: '8Mi' }, agent.host);
    const status = await admin.volumePhase(name, 'Ready');
    const { uid = '' } = (await admin.get(name)).metadata;
    expect(status).toMatchObject({
      path: join(root, 'volumes', 'default', `${name}.${uid}.qcow2`),
      format: 'qcow2',
      capacityBytes: 8 * MIB,
      conditions: [{ type: 'Ready', status: 'True', reason: 'Provisioned', observedGeneration: 1 }],
    });
    expect(statSync(dataOf(status)).mode & 0o777).toBe(0o600);
    expect(agent.writesTo('volumes/status') - before).toBe(1);
  });

  it.each([
    ['ThickLazyZeroed', 'falloc'],
    ['ThickEagerZeroed', 'full'],
  ])('that is %s takes its space at once', async (provisioning) => {
    const name = await admin.volume({ datastoreName, size: '8Mi', provisioning }, agent.host);
    const status = await admin.volumePhase(name, 'Ready');
    expect(statSync(dataOf(status)).blocks * 512).toBeGreaterThanOrEqual(8 * MIB);
    expect(status.allocatedBytes).toBeGreaterThanOrEqual(8 * MIB);
  });
});

describe('a Volume from an Image', () => {
  it('holds the same bytes, and zeros up to its size', async () => {
    const { imageName, data } = await imageOf(2 * MIB);
    const name = await admin.volume({ datastoreName, size: '3Mi', source: { imageName } }, agent.host);
    const status = await admin.volumePhase(name, 'Ready');
    expect(content(dataOf(status)).equals(Buffer.concat([data, Buffer.alloc(MIB)]))).toBe(true);
  });

  it('has the size of the image when it names none', async () => {
    const { imageName } = await imageOf(2 * MIB);
    const name = await admin.volume({ datastoreName, source: { imageName } }, agent.host);
    expect((await admin.volumePhase(name, 'Ready')).capacityBytes).toBe(2 * MIB);
  });

  it.each([
    ['SmallerThanImage', async () => ({ size: '1Mi', source: { imageName: (await imageOf(2 * MIB)).imageName } })],
    ['ImageNotFound', async () => ({ source: { imageName: 'no-such-image' } })],
  ])('says %s and is not made', async (reason, spec) => {
    const name = await admin.volume({ datastoreName, ...(await spec()) }, agent.host);
    expect(await admin.volumeReason(name, reason)).toMatchObject({ phase: 'Failed' });
    expect(volumeFilesIn(root).filter((file) => file.includes(name))).toEqual([]);
  });

  it('is made as soon as the Image is there', async () => {
    const imageName = `later-${randomBytes(4).toString('hex')}`;
    const name = await admin.volume({ datastoreName, source: { imageName } }, agent.host);
    await admin.volumeReason(name, 'ImageNotFound');
    writeFileSync(join(root, 'images', 'later.raw'), randomBytes(MIB));
    await admin.client.create(
      { group: 'drover.dev', version: 'v1alpha1', plural: 'images', kind: 'Image', namespaced: true },
      {
        apiVersion: 'drover.dev/v1alpha1',
        kind: 'Image',
        metadata: { name: imageName, namespace: 'default' },
        spec: { datastoreName, path: 'later.raw' },
      },
    );
    await admin.volumePhase(name, 'Ready');
  });

  it('never trusts what an Image says of itself: a backing file that came later is refused', async () => {
    const { imageName } = await imageOf(MIB, 'swapped.img');
    run(
      'qemu-img',
      'create',
      '-q',
      '-f',
      'qcow2',
      '-u',
      '-b',
      '/etc/shadow',
      '-F',
      'raw',
      join(root, 'images/swapped.img'),
      '1M',
    );
    const name = await admin.volume({ datastoreName, source: { imageName } }, agent.host);
    const status = await admin.volumeReason(name, 'ImageUnusable');
    expect(status.conditions[0]?.message).toMatch(/BackingFile.*\/etc\/shadow/);
  });

  it('shows how far it is, and stops at once when it is deleted', async () => {
    const { imageName } = await imageOf(64 * MIB);
    const name = await admin.volume({ datastoreName, source: { imageName } });
    const copy = await freezeCopy(() => admin.assign(name, agent.host));
    const status = await admin.volumePhase(name, 'Provisioning');
    expect(status.conditions[0]?.message).toMatch(/^\d+ % written$/);
    expect(status.path).toBeUndefined();
    await admin.delete(name);
    await admin.volumePhase(name, 'Deleted');
    expect(copy.isGone()).toBe(true);
    const { uid = '' } = (await admin.get(name)).metadata;
    expect(volumeFilesIn(root).filter((file) => file.includes(uid))).toEqual([]);
  });

  it('stops being made also while it is still protected', async () => {
    const { imageName } = await imageOf(64 * MIB);
    const name = await admin.volume({ datastoreName, source: { imageName } });
    const copy = await freezeCopy(() => admin.assign(name, agent.host));
    await admin.delete(name, { protect: true });
    await admin.volumePhase(name, 'Deleting');
    expect(copy.isGone()).toBe(true);
  });
});

describe('a full datastore', () => {
  it('gives a clear reason before a byte is written, and the Volume is made once there is room', async () => {
    const small = smallFileSystem(16 * MIB);
    const filler = join(small, 'filler');
    const name = await admin.datastore(small, { hosts: [agent] });
    writeFileSync(filler, Buffer.alloc(12 * MIB));
    const volume = await admin.volume(
      { datastoreName: name, size: '8Mi', provisioning: 'ThickLazyZeroed' },
      agent.host,
    );
    const status = await admin.volumeReason(volume, 'OutOfSpace');
    expect(status.conditions[0]?.message).toMatch(/needs 8 MiB and the datastore has \d MiB free/);
    expect(volumeFilesIn(small)).toEqual([]);
    rmSync(filler);
    await admin.volumePhase(volume, 'Ready');
    await admin.delete(volume);
    await admin.volumePhase(volume, 'Deleted');
  });

  it('that fills up while a Volume is written leaves nothing half behind', async () => {
    const small = smallFileSystem(16 * MIB);
    const name = await admin.datastore(small, { hosts: [agent] });
    // A raw image that is a hole takes no space, and its copy does not either: so the source holds data, and lies elsewhere.
    const { imageName } = await imageOf(12 * MIB);
    const volume = await admin.volume({ datastoreName: name, source: { imageName } });
    const copy = await freezeCopy(() => admin.assign(volume, agent.host));
    writeFileSync(join(small, 'filler'), Buffer.alloc(8 * MIB));
    copy.resume();
    await admin.volumeReason(volume, 'OutOfSpace');
    expect(volumeFilesIn(small).filter((file) => file.endsWith('.qcow2'))).toEqual([]);
    rmSync(join(small, 'filler'));
    await admin.volumePhase(volume, 'Ready');
    await admin.delete(volume);
    await admin.volumePhase(volume, 'Deleted');
  });
});

describe('a Volume that is there', () => {
  it('grows while no VM uses it, and keeps its data', async () => {
    const { imageName, data } = await imageOf(MIB);
    const name = await admin.volume({ datastoreName, source: { imageName } }, agent.host);
    const before = await admin.volumePhase(name, 'Ready');
    await admin.patchSpec(name, { size: '4Mi' });
    const after = await admin.volumeWhere(name, '4 MiB', (status) => status.capacityBytes === 4 * MIB);
    expect(after.path).toBe(before.path);
    expect(content(dataOf(after)).subarray(0, MIB).equals(data)).toBe(true);
  });

  it('is not grown, deleted or lost while a QEMU of which nobody knows has it open', async () => {
    const name = await admin.volume({ datastoreName, size: '1Mi' }, agent.host);
    const path = dataOf(await admin.volumePhase(name, 'Ready'));
    const stray = spawn('qemu-system-x86_64', [
      ...['-M', 'q35', '-accel', 'tcg', '-nodefaults', '-display', 'none', '-S', '-qmp', 'stdio'],
      ...['-drive', `file=${path},format=qcow2,if=virtio`],
    ]);
    onTestFinished(() => void stray.kill('SIGKILL'));
    // Its greeting: it has opened its disks. Who asks for the lock before that may be in the way of it.
    await once(stray.stdout, 'data');
    expect(isLocked(path)).toBe(true);
    await admin.patchSpec(name, { size: '2Mi' });
    expect(await admin.volumeReason(name, 'InUse')).toMatchObject({ phase: 'Resizing', path });
    await admin.delete(name);
    // The reason is the one from before until the agent has seen the deletion.
    await admin.volumeWhere(name, 'in use while it is to be deleted', ({ phase, conditions }) => {
      return phase === 'Deleting' && conditions.some(({ reason }) => reason === 'InUse');
    });
    expect(statSync(path).isFile()).toBe(true);
    stray.kill('SIGKILL');
    await admin.volumePhase(name, 'Deleted');
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });

  it('keeps its data while it is protected', async () => {
    const name = await admin.volume({ datastoreName, size: '1Mi' }, agent.host);
    const path = dataOf(await admin.volumePhase(name, 'Ready'));
    await admin.delete(name, { protect: true });
    expect(await admin.volumePhase(name, 'Deleting')).toMatchObject({ path });
    expect(statSync(path).isFile()).toBe(true);
    await admin.unprotect(name);
    await admin.volumePhase(name, 'Deleted');
  });

  it('is never made anew when its data is gone', async () => {
    const name = await admin.volume({ datastoreName, size: '1Mi' }, agent.host);
    const path = dataOf(await admin.volumePhase(name, 'Ready'));
    rmSync(path);
    await admin.patchSpec(name, { size: '2Mi' });
    expect(await admin.volumeReason(name, 'DataMissing')).toMatchObject({ phase: 'Failed', path });
    expect(() => statSync(path)).toThrow(/ENOENT/);
  });
});

describe('a Volume that another host takes over', () => {
  it('is made by the new host; the slower one gives up and replaces nothing', async () => {
    const shared = testDirectory();
    onTestFinished(shared.remove);
    const other = await StorageHost.start({ connection });
    onTestFinished(() => other.stop());
    const name = await admin.datastore(shared.path, { hosts: [agent, other], shared: true });
    const { imageName, data } = await imageOf(32 * MIB);
    // The image lies on a datastore that is not shared; the other host sees the same directory in this test.
    await eventually('the other host sees the image', () => other.datastores.access(datastoreName).ok);
    const volume = await admin.volume({ datastoreName: name, source: { imageName } });
    const copy = await freezeCopy(() => admin.assign(volume, agent.host));
    await admin.assign(volume, other.host);
    const status = await admin.volumePhase(volume, 'Ready');
    await eventually('the slow copy is gone', () => copy.isGone());
    expect(content(dataOf(status)).equals(data)).toBe(true);
    const { uid = '' } = (await admin.get(volume)).metadata;
    expect(volumeFilesIn(shared.path)).toEqual([`${volume}.${uid}.qcow2`]);
  });
});

function isLocked(path: string): boolean {
  try {
    run('qemu-img', 'info', path);
    return false;
  } catch {
    return true;
  }
}
