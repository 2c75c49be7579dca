import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunRecords } from '../../../../src/agent/instances/run-records.ts';
import { hostFiles } from '../../../../src/host/index.ts';
import { ago, NOW, run } from '../../../builders/situation.ts';

const now = new Date(NOW);
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-records-'));
  path = join(folder, 'agent', 'runs.json');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const load = () => RunRecords.load(path, now, hostFiles);

describe('the records of what a host has run', () => {
  it('know nothing at first', async () => {
    const records = await load();
    expect(records.newestEpoch('vm')).toBe(0);
    expect(records.run('vm')).toBeUndefined();
  });

  it('are on disk when a start is saved, for root alone', async () => {
    const started = run({
      epoch: 3,
      restarts: 2,
      restartDelaySeconds: 10,
      lastStop: { at: ago(1), reason: 'Crashed' },
      startedAt: NOW,
    });
    await (await load()).saveRun('vm', started);
    const again = await load();
    expect(again.run('vm')).toEqual(started);
    expect(again.newestEpoch('vm')).toBe(3);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('keep the newest epoch, whatever comes later', async () => {
    const records = await load();
    await records.saveEpoch('vm', 7, now);
    await records.saveEpoch('vm', 5, now);
    await records.saveRun('vm', run({ epoch: 6, startedAt: NOW }));
    expect((await load()).newestEpoch('vm')).toBe(7);
  });

  it('keep the last run when a newer epoch is seen', async () => {
    const records = await load();
    await records.saveRun('vm', run({ startedAt: NOW }));
    await records.saveEpoch('vm', 2, now);
    expect((await load()).run('vm')).toEqual(run({ startedAt: NOW }));
  });

  it('hold all of many starts that were saved at once, in few writes', async () => {
    const records = await load();
    const uids = Array.from({ length: 200 }, (_, index) => `vm-${index}`);
    await Promise.all(uids.map((uid) => records.saveRun(uid, run({ startedAt: NOW }))));
    const again = await load();
    for (const uid of uids) expect(again.newestEpoch(uid)).toBe(1);
    expect(readdirSync(join(folder, 'agent'))).toEqual(['runs.json']);
  });

  it('forget a VM of which nothing was heard for a quarter of a year', async () => {
    const records = await load();
    await records.saveRun('old', run({ startedAt: ago(91 * 24 * 3600) }));
    await records.saveRun('new', run({ startedAt: ago(89 * 24 * 3600) }));
    const again = await load();
    expect(again.newestEpoch('old')).toBe(0);
    expect(again.newestEpoch('new')).toBe(1);
  });

  it('refuse to be taken for empty when they cannot be read', async () => {
    await (await load()).saveRun('vm', run({ startedAt: NOW }));
    writeFileSync(path, readFileSync(path).subarray(0, 20));
    await expect(load()).rejects.toThrow(`Cannot read ${path}`);
  });

  it('fail when they cannot be written: nothing is started that would be forgotten', async () => {
    const records = await load();
    rmSync(join(folder, 'agent'), { recursive: true });
    await expect(records.saveRun('vm', run({ startedAt: NOW }))).rejects.toThrow('ENOENT');
  });
});
