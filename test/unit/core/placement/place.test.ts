import { describe, expect, it } from 'vitest';
import type { HostModel } from '../../../../src/core/model/host.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { no } from '../../../../src/core/model/verdict.ts';
import { explainPlacement, summarizeRefusal } from '../../../../src/core/placement/explain.ts';
import { place } from '../../../../src/core/placement/place.ts';
import { host, request } from '../../../builders/host-model.ts';

const GIB = 2 ** 30;

describe('placement leaves out a host', () => {
  const cases = [
    [
      'that is not ready',
      host('h', { ready: no('HostNotReady', 'its agent is silent') }),
      {},
      'HostNotReady',
      'its agent is silent',
    ],
    [
      'whose labels do not match',
      host('h', { labels: { disk: 'hdd' } }),
      { hostSelector: { matchLabels: { disk: 'ssd' } } },
      'HostSelectorMismatch',
      'its labels do not match spec.hostSelector',
    ],
    [
      'with fewer threads than the VM has vCPUs',
      host('h', { threads: 2 }),
      { vcpus: 4 },
      'TooFewCPUs',
      'it has 2 hardware threads, the VM has 4 vCPUs',
    ],
    [
      'whose cores are reserved',
      host('h', { reserved: { cpuCores: 7.5, memoryBytes: 0 } }),
      { reserved: { cpuCores: 1, memoryBytes: GIB } },
      'InsufficientCPU',
      '500m of 8 cores are not reserved, the VM reserves 1',
    ],
    [
      'whose memory is taken',
      host('h', { reserved: { cpuCores: 0, memoryBytes: 15.5 * GIB } }),
      {},
      'InsufficientMemory',
      '512 MiB of 16384 MiB are free, the VM needs 1024 MiB',
    ],
    [
      'that does not see a datastore',
      host('h', { datastores: new Set(['a']) }),
      { datastores: ['a', 'b', 'c'] },
      'DatastoreNotVisible',
      'it does not see Datastores b, c',
    ],
    [
      'without the data of a local disk',
      host('h'),
      { diskHosts: [{ volumeName: 'data', host: 'other' }] },
      'LocalDisk',
      "it does not hold the data of the VM's disks: Volume data on other",
    ],
    [
      'without a switch',
      host('h', { switches: new Set() }),
      { switches: ['lan'] },
      'SwitchNotAvailable',
      'it does not have VirtualSwitch lan',
    ],
    [
      'that is in maintenance',
      host('h', { inMaintenance: true }),
      {},
      'HostInMaintenance',
      'it is in maintenance (spec.maintenance)',
    ],
    ['that the VM is to leave', host('h'), { leaves: 'h' }, 'IsSource', 'it is the host that the VM leaves'],
    [
      'whose CPU cannot present the model',
      host('h', { cpuModels: new Set(['Nehalem']) }),
      { cpuModel: 'Haswell' },
      'CPUNotCompatible',
      'its CPU cannot present Haswell; a CPU baseline (spec.imc of the Cluster) makes VMs movable between CPUs',
    ],
    [
      'without a device to pass through',
      host('h', { hostDevices: new Set(['gpu-0']) }),
      { hostDevices: ['gpu-0', 'hba-1'] },
      'HostDeviceMissing',
      'it has no free host device hba-1',
    ],
    [
      'while another may still run the VM',
      host('h'),
      { onlyHost: 'other' },
      'MayRunElsewhere',
      'host other has not confirmed that its copy is off',
    ],
  ] as const;

  it.each(cases)('%s', (_why, candidate, wish, reason, message) => {
    const placement = place(request(wish), inventoryOf({ hosts: [candidate] }));
    expect(placement.ok).toBe(false);
    expect(placement.verdicts[0]?.obstacles).toMatchObject([{ reason, message }]);
  });
});

const among = (wish: Parameters<typeof request>[0], ...hosts: HostModel[]) =>
  place(request(wish), inventoryOf({ hosts }));

describe('placement', () => {
  it('takes the host whose memory stays freest', () => {
    const busy = host('a', { reserved: { cpuCores: 0, memoryBytes: 4 * GIB } });
    expect(among({}, busy, host('b'))).toMatchObject({ ok: true, host: 'b' });
  });

  it('weighs free cores for a VM that reserves some', () => {
    const busy = host('a', { reserved: { cpuCores: 6, memoryBytes: 0 } });
    const half = host('b', { reserved: { cpuCores: 0, memoryBytes: 4 * GIB } });
    expect(among({}, busy, half)).toMatchObject({ host: 'a' });
    expect(among({ reserved: { cpuCores: 1, memoryBytes: GIB } }, busy, half)).toMatchObject({ host: 'b' });
  });

  it('prefers a host of which one NUMA cell is large enough', () => {
    const cells = (count: number) => Array(count).fill({ threads: 8 / count, memoryBytes: (16 / count) * GIB });
    const hosts = [host('a', { numaCells: cells(4) }), host('b', { numaCells: cells(2) })];
    expect(among({ vcpus: 4 }, ...hosts)).toMatchObject({ host: 'b' });
    expect(among({ vcpus: 1, reserved: { cpuCores: 0, memoryBytes: 6 * GIB } }, ...hosts)).toMatchObject({ host: 'b' });
    expect(among({ vcpus: 2 }, ...hosts)).toMatchObject({ host: 'a' });
  });

  it('goes back to a host that was left lately only when there is no other', () => {
    const full = host('b', { reserved: { cpuCores: 0, memoryBytes: 14 * GIB } });
    const recentHosts = new Set(['a']);
    expect(among({ recentHosts }, host('a'), full)).toMatchObject({ host: 'b' });
    expect(among({ recentHosts }, host('a'))).toMatchObject({ host: 'a' });
  });

  it('takes the first name where nothing else decides', () => {
    expect(among({}, host('c'), host('a'), host('b'))).toMatchObject({ ok: true, host: 'a' });
  });

  it('goes back to the host that may still run a copy, be it in maintenance', () => {
    expect(among({ onlyHost: 'b' }, host('a'), host('b', { inMaintenance: true }))).toMatchObject({
      ok: true,
      host: 'b',
    });
  });

  it('names every obstacle of a host at once', () => {
    const bad = host('h', { ready: no('HostNotReady', 'off'), switches: new Set() });
    const placement = among({ switches: ['lan'] }, bad);
    expect(placement.verdicts[0]?.obstacles.map(({ reason }) => reason)).toEqual([
      'HostNotReady',
      'SwitchNotAvailable',
    ]);
  });

  it('tells the figures behind an obstacle as data, too', () => {
    const full = host('h', { reserved: { cpuCores: 0, memoryBytes: 16 * GIB } });
    expect(among({}, full).verdicts[0]?.obstacles[0]?.facts).toEqual({
      freeBytes: 0,
      allocatableBytes: 16 * GIB,
      wantedBytes: GIB,
    });
  });

  it('explains itself with one line per host', () => {
    const full = host('b', { reserved: { cpuCores: 0, memoryBytes: 16 * GIB } });
    expect(explainPlacement(among({}, full, host('a')))).toBe(
      'a: chosen; 93.8% of its memory stays free\nb: InsufficientMemory: 0 MiB of 16384 MiB are free, the VM needs 1024 MiB',
    );
  });

  it('explains what hosts were compared by', () => {
    const wish = { reserved: { cpuCores: 2, memoryBytes: GIB }, recentHosts: new Set(['b']) };
    const small = host('b', { numaCells: [{ threads: 1, memoryBytes: GIB / 2 }] });
    expect(explainPlacement(among(wish, host('a'), small))).toBe(
      'a: chosen; was not left lately; 93.8% of its memory stays free; 75.0% of its cores stay unreserved; fits one of its NUMA cells\n' +
        'b: fits; was left a short while ago; 93.8% of its memory stays free; 75.0% of its cores stay unreserved; fits none of its NUMA cells',
    );
  });

  it('counts the reasons of a refusal', () => {
    const off = (name: string) => host(name, { ready: no('HostNotReady', 'off') });
    const small = host('c', { allocatable: { cpuCores: 1, memoryBytes: 0 } });
    expect(summarizeRefusal(among({}, off('a'), off('b'), small))).toBe(
      '0/3 hosts fit: 2 HostNotReady, 1 InsufficientMemory',
    );
    expect(summarizeRefusal(among({}))).toBe('the Cluster has no hosts');
  });

  it('cuts the explanation of a big cluster, and shows the chosen host all the same', () => {
    const many = Array.from({ length: 99 }, (_, index) => host(`h${String(index).padStart(3, '0')}`));
    const empty = host('last', { allocatable: { cpuCores: 8, memoryBytes: 64 * GIB } });
    const lines = explainPlacement(among({}, ...many, empty)).split('\n');
    expect(lines).toHaveLength(41);
    expect(lines[0]).toMatch(/^last: chosen; /);
    expect(lines[1]).toMatch(/^h000: fits; /);
    expect(lines.at(-1)).toBe('and 60 more hosts');
  });
});
