import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { Datastore } from '../../../src/api/datastore.ts';
import { Image } from '../../../src/api/image.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { run } from '../host/scratch.ts';
import { Administrator, testDirectory, uniqueName, volumeFilesIn } from './storage-host.ts';

const MIB = 2 ** 20;
const ROUNDS = 6;
const admin = new Administrator(sharedClient());

beforeAll(() => installCrds(admin.client));
afterAll(() => admin.undoAll());

async function startAgent(host: string, stateDirectory: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'storage-agent.ts');
  const agent = spawn(process.execPath, [script, inject('kubeconfig'), host, stateDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void agent.kill('SIGKILL'));
  await once(agent.stdout, 'data');
  return agent;
}

describe('an agent that is killed at any moment', () => {
  it('leaves no half Volume, and the next one finishes or deletes what it had begun', {
    timeout: 300_000,
  }, async () => {
    const host = uniqueName('host');
    const [root, state] = [testDirectory(), testDirectory()];
    onTestFinished(root.remove);
    onTestFinished(state.remove);
    mkdirSync(join(root.path, 'images'));
    const data = randomBytes(16 * MIB);
    writeFileSync(join(root.path, 'images/source.raw'), data);
    const datastoreName = uniqueName('ds');
    const spec = { type: 'Directory', path: root.path, shared: false };
    await admin.create(Datastore, { metadata: { name: datastoreName }, spec });
    const imageName = uniqueName('img');
    const metadata = { name: imageName, namespace: 'default' };
    await admin.create(Image, { metadata, spec: { datastoreName, path: 'source.raw' } });

    const kept: string[] = [];
    const deleted: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const agent = await startAgent(host, state.path);
      const volumes = await Promise.all(
        Array.from({ length: 3 }, () => admin.volume({ datastoreName, source: { imageName } }, host)),
      );
      const [first = '', ...rest] = volumes;
      kept.push(...rest);
      deleted.push(first);
      // Spread over the whole of a copy: before its first byte, in it, while it is committed, while it is deleted.
      await sleep(round * 120);
      await admin.delete(first);
      await sleep(round * 20);
      const ended = once(agent, 'exit');
      agent.kill('SIGKILL');
      await ended;
    }

    await startAgent(host, state.path);
    for (const name of deleted) await admin.volumePhase(name, 'Deleted');
    const paths: string[] = [];
    for (const name of kept) {
      const { path = '' } = await admin.volumePhase(name, 'Ready');
      paths.push(path);
      run('qemu-img', 'check', '-q', '-f', 'qcow2', path);
      expect(contentOf(path).equals(data), `${name} holds the image`).toBe(true);
    }
    const files = volumeFilesIn(root.path).map((file) => join(root.path, 'volumes/default', file));
    expect(files).toEqual(paths.sort());
  });
});

function contentOf(path: string): Buffer {
  const raw = `/tmp/${randomBytes(6).toString('hex')}`;
  run('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', path, raw);
  const content = readFileSync(raw);
  rmSync(raw);
  return content;
}
