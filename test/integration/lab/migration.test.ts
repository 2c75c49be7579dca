import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { readConsoleCounters } from '../../lab/guest/console-counters.ts';
import { readDiskCounter } from '../../lab/guest/disk-counter.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { type OwnHosts, startOwnHosts } from './own-hosts.ts';
import {
  BOOT_TIMEOUT_MS,
  consoleOf,
  createDomain,
  domainNames,
  startDomain,
  virsh,
  waitForCounter,
} from './test-domain.ts';

let own: OwnHosts;
let one: LabHost;
let two: LabHost;
let image: string;

beforeAll(async () => {
  image = (await buildGuestImage()).disk;
  own = await startOwnHosts('migration', 2);
  one = own.host(1);
  two = own.host(2);
}, 300_000);
afterAll(async () => own.remove());

describe('two lab hosts with one shared datastore', { timeout: 3 * BOOT_TIMEOUT_MS }, () => {
  it('refuse to run one disk twice: the image lock works between hosts', async () => {
    const domain = await startDomain(one, { name: 'locked', image });
    await waitForCounter(one, domain.name, 1);
    await expect(createDomain(two, domain)).rejects.toThrow(/Failed to get "write" lock/);
    expect(await domainNames(two)).toEqual([]);
    const counter = await waitForCounter(one, domain.name, 3);
    await one.kill();
    await createDomain(two, domain);
    await waitForCounter(two, domain.name, counter + 1);
    await virsh(two, 'destroy', domain.name);
    await one.powerOn();
  });

  it.each([
    { way: 'in the clear', flags: [] },
    { way: 'over TLS', flags: ['--tls'] },
  ])('migrate a running VM peer to peer, $way, and it counts on without a gap', async ({ way, flags }) => {
    const domain = await startDomain(one, { name: `moved-${way.replaceAll(' ', '-')}`, image });
    const before = await waitForCounter(one, domain.name, 2);
    await virsh(
      one,
      ...['migrate', '--live', '--p2p', '--unsafe', '--abort-on-error', ...flags, domain.name, two.libvirtPeerUri],
      ...['--migrateuri', `tcp://${two.address}`],
    );
    expect(await domainNames(one)).toEqual([]);
    expect(await domainNames(two)).toEqual([domain.name]);
    const after = await waitForCounter(two, domain.name, before + 3);

    const { verdict, boots } = readConsoleCounters(consoleOf(one, domain.name) + consoleOf(two, domain.name));
    expect(verdict).toEqual({ ok: true });
    expect(boots).toHaveLength(1);
    const disk = await readDiskCounter(join(two.files.sharedDatastore, `${domain.name}.qcow2`));
    expect(disk.counter).toBeGreaterThanOrEqual(after);
    expect(disk.boot).toBe(boots[0]);
    await virsh(two, 'destroy', domain.name);
  });
});
