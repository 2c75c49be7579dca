import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Reservations } from '../../../src/controllers/inventory/reservations.ts';
import { KubeClient } from '../../../src/kube/index.ts';
import { typedInformer } from '../../../src/runtime/typed-informer.ts';
import { disk, instanceSpec } from '../../builders/virtual-machine-instance.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const GIB = 2 ** 30;
const KEY = 'default/web';
const spec = (host: string, epoch = 1) =>
  instanceSpec({ host, epoch, reserved: { cpuCores: 1, memoryBytes: GIB }, disks: [disk({ volumeName: 'web-root' })] });

let clock: VirtualClock;
let reservations: Reservations;

beforeEach(() => {
  clock = new VirtualClock();
  // Never run: a cache that does not show anything yet.
  const client = new KubeClient({
    connection: { server: 'http://127.0.0.1:9', namespace: 'default', insecureSkipTlsVerify: false },
    userAgent: 'test',
  });
  reservations = new Reservations(typedInformer(VirtualMachineInstance, { client, fieldManagers: [] }), clock);
});

describe('a placement that the cache does not show yet', () => {
  it('counts on its host, and no more when it has failed', () => {
    reservations.assume(KEY, spec('a'));
    expect(reservations.onHost('a')).toEqual({ cpuCores: 1, memoryBytes: GIB });
    expect(reservations.placementOf(KEY)?.host).toBe('a');
    reservations.forget(KEY);
    expect(reservations.onHost('a')).toEqual({ cpuCores: 0, memoryBytes: 0 });
    expect(reservations.placementOf(KEY)?.host).toBeUndefined();
  });

  it('is known with its CPU model', () => {
    const cpu = { sockets: 1, coresPerSocket: 1, threads: 1, model: 'Westmere' };
    reservations.assume(KEY, { ...spec('a'), cpu });
    expect(reservations.placementOf(KEY)?.cpu.model).toBe('Westmere');
  });

  it('moves what it counts with a newer epoch, and ignores an older one', () => {
    reservations.assume(KEY, spec('a', 2));
    reservations.assume(KEY, spec('b', 1));
    expect(reservations.placementOf(KEY)?.host).toBe('a');
    reservations.forget(KEY);
    reservations.assume(KEY, spec('b', 1));
    expect(reservations.placementOf(KEY)?.host).toBe('b');
    reservations.assume(KEY, spec('a', 2));
    reservations.assume(KEY, spec('b', 3));
    expect([reservations.onHost('a').memoryBytes, reservations.onHost('b').memoryBytes]).toEqual([0, GIB]);
  });

  it('gives the very same sum until something changes on the host', () => {
    reservations.assume(KEY, spec('a'));
    const sum = reservations.onHost('a');
    reservations.assume('default/other', spec('b'));
    // Each new status brings the same spec again.
    reservations.assume(KEY, spec('a'));
    expect(reservations.onHost('a')).toBe(sum);
    expect([...reservations.keysOn('a')]).toEqual([KEY]);
    reservations.assume('default/third', spec('a'));
    expect(reservations.onHost('a')).toEqual({ cpuCores: 2, memoryBytes: 2 * GIB });
  });

  it('holds the Volumes that it was placed with, for a minute', async () => {
    reservations.assume(KEY, spec('a'));
    expect(reservations.placedWith('default/web-root')).toBe(KEY);
    expect(reservations.placedWith('default/other')).toBeUndefined();
    expect(reservations.placedWith('elsewhere/web-root')).toBeUndefined();
    await clock.advance(59_000);
    expect(reservations.placedWith('default/web-root')).toBe(KEY);
    await clock.advance(2_000);
    expect(reservations.placedWith('default/web-root')).toBeUndefined();
  });

  it('is on its way for five seconds', async () => {
    reservations.assume(KEY, spec('a'));
    expect(reservations.isOnItsWay(KEY)).toBe(true);
    await clock.advance(6_000);
    expect(reservations.isOnItsWay(KEY)).toBe(false);
    expect(reservations.placementOf(KEY)?.host).toBe('a');
  });
});
