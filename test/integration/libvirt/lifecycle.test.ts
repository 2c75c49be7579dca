import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  DomainList,
  DomainMetadataType,
  DomainStart,
  DomainState,
  DomainStats,
  isLibvirtError,
  LibvirtError,
  LifecycleEvent,
  PausedReason,
  RunningReason,
  StoppedDetail,
} from '../../../src/libvirt/index.ts';
import { domainXml } from './builders.ts';
import { collect, startDomain, useLibvirt } from './context.ts';

const context = useLibvirt();

describe('the life of a transient domain', () => {
  it('goes from created to destroyed, and every step is an event', async () => {
    const { libvirt } = context;
    using lifecycle = await collect(libvirt, 'lifecycle');
    const uuid = randomUUID();
    const { dom } = await libvirt.call('domainCreateXml', { xmlDesc: domainXml({ name: 'life', uuid }) });
    expect(dom).toEqual({ name: 'life', uuid, id: expect.any(Number) });
    expect(await libvirt.call('domainGetState', { dom })).toEqual({
      state: DomainState.RUNNING,
      reason: RunningReason.BOOTED,
    });

    await libvirt.call('domainSuspend', { dom });
    expect(await libvirt.call('domainGetState', { dom })).toEqual({
      state: DomainState.PAUSED,
      reason: PausedReason.USER,
    });
    await libvirt.call('domainResume', { dom });
    await libvirt.call('domainReset', { dom });
    expect(await libvirt.call('domainIsPersistent', { dom })).toEqual({ persistent: false });

    await libvirt.call('domainDestroyFlags', { dom });
    const stopped = await lifecycle.until('STOPPED', ({ event }) => event === LifecycleEvent.STOPPED);
    expect(stopped).toEqual({
      dom: { ...dom, id: -1 },
      event: LifecycleEvent.STOPPED,
      detail: StoppedDetail.DESTROYED,
    });
    const kinds = new Set(lifecycle.events.map(({ event }) => event));
    expect(kinds).toContain(LifecycleEvent.STARTED);
    expect(kinds).toContain(LifecycleEvent.SUSPENDED);
    expect(kinds).toContain(LifecycleEvent.RESUMED);
    const gone = libvirt.call('domainLookupByUuid', { uuid });
    await expect(gone).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'NO_DOMAIN'));
  });

  it('starts paused on request', async () => {
    const { libvirt } = context;
    const { dom } = await libvirt.call('domainCreateXml', {
      xmlDesc: domainXml({ name: 'paused' }),
      flags: DomainStart.PAUSED,
    });
    expect(await libvirt.call('domainGetState', { dom })).toMatchObject({ state: DomainState.PAUSED });
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('tells of a QEMU that died by itself', async () => {
    const { libvirt, daemon } = context;
    using lifecycle = await collect(libvirt, 'lifecycle');
    const before = new Set(daemon.qemuPids());
    const dom = await startDomain(libvirt, { name: 'crash' });
    const pid = daemon.qemuPids().find((each) => !before.has(each));
    expect(pid).toBeGreaterThan(1);
    process.kill(pid ?? 0, 'SIGKILL');
    const stopped = await lifecycle.until('STOPPED', ({ event }) => event === LifecycleEvent.STOPPED);
    expect(stopped).toMatchObject({ dom: { uuid: dom.uuid }, detail: StoppedDetail.FAILED });
  });

  it('tells of a guest that panicked', async () => {
    const { libvirt } = context;
    using lifecycle = await collect(libvirt, 'lifecycle');
    const dom = await startDomain(libvirt, { name: 'panic', devices: "<panic model='isa'/>" });
    // The panic device listens on port 0x505; bit 0 written there is a guest's panic. The monitor writes it for the guest.
    await libvirt.call('qemuDomainMonitorCommand', { dom, cmd: 'o /b 0x505 1', flags: 1 });
    const crashed = await lifecycle.until('CRASHED', ({ event }) => event === LifecycleEvent.CRASHED);
    expect(crashed).toMatchObject({ dom: { uuid: dom.uuid }, detail: 0 });
  });

  it('tells of a guest that was reset', async () => {
    const { libvirt } = context;
    using reboots = await collect(libvirt, 'reboot');
    const dom = await startDomain(libvirt, { name: 'reset' });
    await libvirt.call('domainReset', { dom });
    const reboot = await reboots.until('of this domain', (event) => event.dom.uuid === dom.uuid);
    expect(reboot.dom.name).toBe('reset');
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('what a daemon knows of its domains', () => {
  it('lists them by state', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'listed' });
    const running = await libvirt.call('connectListAllDomains', { flags: DomainList.RUNNING });
    expect(running.domains).toContainEqual(dom);
    const shutoff = await libvirt.call('connectListAllDomains', { flags: DomainList.SHUTOFF });
    expect(shutoff.domains).toEqual([]);
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('finds one by number, by name and by UUID', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'found' });
    expect(await libvirt.call('domainLookupById', { id: dom.id })).toEqual({ dom });
    expect(await libvirt.call('domainLookupByName', { name: 'found' })).toEqual({ dom });
    expect(await libvirt.call('domainLookupByUuid', { uuid: dom.uuid })).toEqual({ dom });
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('gives its XML back, metadata included', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'xml' });
    const uri = 'https://drover.dev/xml/1';
    const metadata = { dom, type: DomainMetadataType.ELEMENT, metadata: '<vm epoch="4"/>', key: 'drover', uri };
    await libvirt.call('domainSetMetadata', { ...metadata, flags: 1 });
    expect((await libvirt.call('domainGetMetadata', { dom, type: DomainMetadataType.ELEMENT, uri })).metadata).toMatch(
      /epoch="4"/,
    );
    expect((await libvirt.call('domainGetXmlDesc', { dom })).xml).toMatch(
      /<name>xml<\/name>.*<drover:vm [^>]*epoch="4"/s,
    );
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('measures all of them in one call', async () => {
    const { libvirt } = context;
    const doms = await Promise.all(['stats-1', 'stats-2'].map((name) => startDomain(libvirt, { name })));
    const all = await libvirt.call('connectGetAllDomainStats', { doms });
    expect(all.retStats.map(({ dom }) => dom.name).toSorted()).toEqual(['stats-1', 'stats-2']);
    for (const { params } of all.retStats) {
      expect(params).toMatchObject({
        'state.state': DomainState.RUNNING,
        'balloon.maximum': 16_384n,
        'vcpu.current': 1,
      });
      expect(params['cpu.time']).toBeTypeOf('bigint');
    }
    const some = await libvirt.call('connectGetAllDomainStats', { doms, stats: DomainStats.STATE });
    expect(Object.keys(some.retStats[0]?.params ?? {}).toSorted()).toEqual(['state.reason', 'state.state']);
    await Promise.all(doms.map((dom) => libvirt.call('domainDestroyFlags', { dom })));
  });

  it('answers 200 calls made at once', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'busy' });
    const states = await Promise.all(Array.from({ length: 200 }, () => libvirt.call('domainGetState', { dom })));
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set([DomainState.RUNNING]));
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('what libvirt refuses', () => {
  it.each([
    ['XML that is none', '<domain', 'XML_DETAIL'],
    ['an unknown machine', domainXml({ name: 'bad' }).replace("'q35'", "'toaster'"), 'XML_ERROR'],
    [
      'a missing disk',
      domainXml({ name: 'bad', devices: "<disk type='file'><source file='/none'/><target dev='vda'/></disk>" }),
      'SYSTEM_ERROR',
    ],
  ] as const)('%s is an error with its code', async (_, xmlDesc, codeName) => {
    const refused = context.libvirt.call('domainCreateXml', { xmlDesc });
    await expect(refused).rejects.toBeInstanceOf(LibvirtError);
    await expect(refused).rejects.toMatchObject({ codeName, procedure: 'domainCreateXml' });
  });

  it('a text over the limit is refused before it is sent', async () => {
    const refused = context.libvirt.call('domainCreateXml', { xmlDesc: 'x'.repeat(4_194_305) });
    await expect(refused).rejects.toThrow(
      /domainCreateXml: xmlDesc: 4194305 bytes of text, the protocol's limit is 4194304/,
    );
  });
});
