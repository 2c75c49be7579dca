import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DomainState,
  JobOperation,
  JobStats,
  JobType,
  type Libvirt,
  LibvirtError,
  LifecycleEvent,
  MaxSpeed,
  Migrate,
  openLibvirt,
  RunningReason,
  StoppedDetail,
} from '../../../src/libvirt/index.ts';
import { collect, given, startDomain, useLibvirt } from './context.ts';
import { TestDaemon, waitFor } from './daemon.ts';

const context = useLibvirt();
const held: { target?: TestDaemon; libvirt?: Libvirt } = {};
const LIVE = Migrate.LIVE | Migrate.PEER2PEER;
const NO_COOKIE = new Uint8Array();

beforeAll(async () => {
  held.target = await TestDaemon.start();
  held.libvirt = await openLibvirt({ socketPath: held.target.socketPath });
});

afterAll(async () => {
  await held.libvirt?.close();
  await held.target?.stop();
});

/** The source daemon speaks to the target itself: over TCP, as between two hosts. */
function toTarget() {
  const { tcpPort } = given(held.target);
  return { dconnuri: `qemu+tcp://127.0.0.1:${tcpPort}/system`, cookieIn: NO_COOKIE };
}

const params = { migrate_uri: 'tcp://127.0.0.1', listen_address: '127.0.0.1' };

describe('peer-to-peer live migration', () => {
  it('moves a running domain, tells its progress, and both sides tell of it', async () => {
    const { libvirt } = context;
    const target = given(held.libvirt);
    using left = await collect(libvirt, 'lifecycle');
    using came = await collect(target, 'lifecycle');
    using completed = await collect(libvirt, 'jobCompleted');
    using iterations = await collect(libvirt, 'migrationIteration');
    const dom = await startDomain(libvirt, { name: 'mover', memoryMib: 64 });
    await libvirt.call('domainMigrateSetMaxDowntime', { dom, downtimeMs: 200 });
    expect(await libvirt.call('domainMigrateGetMaxDowntime', { dom })).toEqual({ downtimeMs: 200n });
    await libvirt.call('domainMigrateSetMaxSpeed', { dom, bandwidthMibPerSecond: 500 });
    expect(await libvirt.call('domainMigrateGetMaxSpeed', { dom })).toEqual({ bandwidthMibPerSecond: 500n });

    await libvirt.call('domainMigratePerform3Params', { dom, ...toTarget(), params, flags: LIVE });

    const arrived = await target.call('domainLookupByUuid', { uuid: dom.uuid });
    expect(await target.call('domainGetState', { dom: arrived.dom })).toEqual({
      state: DomainState.RUNNING,
      reason: RunningReason.MIGRATED,
    });
    const stopped = await left.until('STOPPED', ({ event }) => event === LifecycleEvent.STOPPED);
    expect(stopped.detail).toBe(StoppedDetail.MIGRATED);
    await came.until('RESUMED', ({ event }) => event === LifecycleEvent.RESUMED);
    const job = await completed.until('of this domain', (event) => event.dom.uuid === dom.uuid);
    expect(job.params).toMatchObject({ operation: JobOperation.MIGRATION_OUT });
    expect(job.params['downtime']).toBeTypeOf('bigint');
    await iterations.until('the first', ({ iteration }) => iteration >= 1);
    const stats = await target.call('domainGetJobStats', { dom: arrived.dom, flags: JobStats.COMPLETED });
    expect(stats).toMatchObject({ type: JobType.COMPLETED, params: { operation: JobOperation.MIGRATION_IN } });
    await target.call('domainDestroyFlags', { dom: arrived.dom });
  });

  it('is aborted, and the domain stays where it was', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'stayer', memoryMib: 128 });
    const slow = { ...params, bandwidth: 1n };
    const migration = libvirt.call('domainMigratePerform3Params', { dom, ...toTarget(), params: slow, flags: LIVE });
    const outcome = migration.then(
      () => 'migrated',
      (error: unknown) => error,
    );
    await waitFor('memory to move', 20_000, async () => {
      const job = await libvirt.call('domainGetJobInfo', { dom });
      return job.type === JobType.UNBOUNDED && job.dataProcessed > 0n;
    });
    const stats = await libvirt.call('domainGetJobStats', { dom });
    expect(stats.params).toMatchObject({ operation: JobOperation.MIGRATION_OUT });
    expect(stats.params['memory_remaining']).toBeGreaterThan(0n);
    await libvirt.call('domainAbortJob', { dom });
    const error = await outcome;
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ codeName: 'OPERATION_ABORTED' });
    expect(await libvirt.call('domainGetState', { dom })).toMatchObject({ state: DomainState.RUNNING });
    const { domains } = await given(held.libvirt).call('connectListAllDomains');
    expect(domains.map(({ uuid }) => uuid)).not.toContain(dom.uuid);
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('is sped up on its way', async () => {
    const { libvirt } = context;
    const target = given(held.libvirt);
    const dom = await startDomain(libvirt, { name: 'hasty', memoryMib: 128 });
    const slow = { ...params, bandwidth: 1n };
    const migration = libvirt.call('domainMigratePerform3Params', { dom, ...toTarget(), params: slow, flags: LIVE });
    await waitFor(
      'memory to move',
      20_000,
      async () => (await libvirt.call('domainGetJobInfo', { dom })).dataProcessed > 0n,
    );
    await libvirt.call('domainMigrateSetMaxSpeed', { dom, bandwidthMibPerSecond: 1_000 });
    await migration;
    await target.call('domainDestroyFlags', { dom });
  });

  it('that may use post-copy can be switched to it', async () => {
    const { libvirt } = context;
    const target = given(held.libvirt);
    const dom = await startDomain(libvirt, { name: 'post', memoryMib: 128 });
    await libvirt.call('domainMigrateSetMaxSpeed', { dom, bandwidthMibPerSecond: 100, flags: MaxSpeed.POSTCOPY });
    const slow = { ...params, bandwidth: 1n };
    const migration = libvirt.call('domainMigratePerform3Params', {
      dom,
      ...toTarget(),
      params: slow,
      flags: LIVE | Migrate.POSTCOPY,
    });
    await waitFor(
      'memory to move',
      20_000,
      async () => (await libvirt.call('domainGetJobInfo', { dom })).dataProcessed > 0n,
    );
    using lifecycle = await collect(libvirt, 'lifecycle');
    await libvirt.call('domainMigrateStartPostCopy', { dom });
    await migration;
    await lifecycle.until('STOPPED', ({ event }) => event === LifecycleEvent.STOPPED);
    expect(await target.call('domainGetState', { dom })).toMatchObject({ state: DomainState.RUNNING });
    await target.call('domainDestroyFlags', { dom });
  });

  it('to a daemon that does not answer leaves the domain and says where it failed', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'nowhere' });
    const nowhere = { dconnuri: 'qemu+tcp://127.0.0.1:1/system', cookieIn: NO_COOKIE, params, flags: LIVE };
    const error = await libvirt
      .call('domainMigratePerform3Params', { dom, ...nowhere })
      .catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({
      procedure: 'domainMigratePerform3Params',
      message: expect.stringMatching(/127\.0\.0\.1:1/),
    });
    expect(await libvirt.call('domainGetState', { dom })).toMatchObject({ state: DomainState.RUNNING });
    await libvirt.call('domainDestroyFlags', { dom });
  });
});
