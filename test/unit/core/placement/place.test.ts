import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
      'while another may still run the VM',
      host('h'),
      { onlyHost: 'other' },
      'MayRunElsewhere',
      'host other has not confirmed that its copy is off',
    ],
  ] as const;

  it.each(cases)('%s', (_why, candidate, wish, reason, message) => {
    const placement = place(request(wish), [candidate]);
    expect(placement.ok).toBe(false);
    expect(placement.verdicts[0]?.obstacles).toEqual([{ reason, message }]);
  });
});

describe('placement', () => {
  it('takes the host whose memory stays freest', () => {
    const busy = host('a', { reserved: { cpuCores: 0, memoryBytes: 4 * GIB } });
    expect(place(request(), [busy, host('b')])).toMatchObject({ ok: true, host: 'b' });
  });

  it('takes the first name where nothing else decides', () => {
    expect(place(request(), [host('c'), host('a'), host('b')])).toMatchObject({ ok: true, host: 'a' });
  });

  it('goes back to the host that may still run a copy', () => {
    expect(place(request({ onlyHost: 'b' }), [host('a'), host('b')])).toMatchObject({ ok: true, host: 'b' });
  });

  it('names every obstacle of a host at once', () => {
    const bad = host('h', { ready: no('HostNotReady', 'off'), switches: new Set() });
    const placement = place(request({ switches: ['lan'] }), [bad]);
    expect(placement.verdicts[0]?.obstacles.map(({ reason }) => reason)).toEqual([
      'HostNotReady',
      'SwitchNotAvailable',
    ]);
  });

  it('explains itself with one line per host', () => {
    const full = host('b', { reserved: { cpuCores: 0, memoryBytes: 16 * GIB } });
    expect(explainPlacement(place(request(), [full, host('a')]))).toBe(
      'a: chosen; 93.8% of its memory stays free\nb: InsufficientMemory: 0 MiB of 16384 MiB are free, the VM needs 1024 MiB',
    );
  });

  it('counts the reasons of a refusal', () => {
    const off = (name: string) => host(name, { ready: no('HostNotReady', 'off') });
    const small = host('c', { allocatable: { cpuCores: 1, memoryBytes: 0 } });
    expect(summarizeRefusal(place(request(), [off('a'), off('b'), small]))).toBe(
      '0/3 hosts fit: 2 HostNotReady, 1 InsufficientMemory',
    );
    expect(summarizeRefusal(place(request(), []))).toBe('the Cluster has no hosts');
  });

  it('cuts the explanation of a big cluster', () => {
    const many = Array.from({ length: 100 }, (_, index) => host(`h${String(index).padStart(3, '0')}`));
    const lines = explainPlacement(place(request(), many)).split('\n');
    expect(lines).toHaveLength(41);
    expect(lines.at(-1)).toBe('and 60 more hosts');
  });
});

const anyHost = fc.record({
  name: fc.stringMatching(/^[a-z]{1,4}$/),
  threads: fc.integer({ min: 0, max: 16 }),
  allocatable: fc.record({
    cpuCores: fc.integer({ min: 0, max: 16 }),
    memoryBytes: fc.integer({ min: 0, max: 64 * GIB }),
  }),
  reserved: fc.record({
    cpuCores: fc.integer({ min: 0, max: 16 }),
    memoryBytes: fc.integer({ min: 0, max: 64 * GIB }),
  }),
});
const anyHosts = fc
  .uniqueArray(anyHost, { selector: ({ name }) => name, maxLength: 8 })
  .map((hosts) => hosts.map(({ name, ...rest }) => host(name, rest)));
const anyRequest = fc
  .record({
    vcpus: fc.integer({ min: 1, max: 16 }),
    reserved: fc.record({
      cpuCores: fc.integer({ min: 0, max: 16 }),
      memoryBytes: fc.integer({ min: 1, max: 64 * GIB }),
    }),
  })
  .map(request);

describe('placement, whatever the cluster', () => {
  it('never puts more on a host than it has', () => {
    fc.assert(
      fc.property(anyRequest, anyHosts, (wish, hosts) => {
        const placement = place(wish, hosts);
        const chosen = placement.ok ? hosts.find(({ name }) => name === placement.host) : undefined;
        if (chosen === undefined) return;
        expect(chosen.reserved.memoryBytes + wish.reserved.memoryBytes).toBeLessThanOrEqual(
          chosen.allocatable.memoryBytes,
        );
        if (wish.reserved.cpuCores > 0) {
          expect(chosen.reserved.cpuCores + wish.reserved.cpuCores).toBeLessThanOrEqual(chosen.allocatable.cpuCores);
        }
      }),
    );
  });

  it('does not depend on the order of the hosts', () => {
    fc.assert(
      fc.property(anyRequest, anyHosts, (wish, hosts) => {
        expect(place(wish, hosts.toReversed())).toEqual(place(wish, hosts));
      }),
    );
  });

  it('has a verdict for every host', () => {
    fc.assert(
      fc.property(anyRequest, anyHosts, (wish, hosts) => {
        const names = hosts.map(({ name }) => name).toSorted();
        expect(place(wish, hosts).verdicts.map((verdict) => verdict.host)).toEqual(names);
      }),
    );
  });

  it('never fails because an empty host was added', () => {
    fc.assert(
      fc.property(anyRequest, anyHosts, (wish, hosts) => {
        fc.pre(place(wish, hosts).ok);
        expect(place(wish, [...hosts, host('zzzzz')]).ok).toBe(true);
      }),
    );
  });
});
