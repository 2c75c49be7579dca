import { describe, expect, it } from 'vitest';
import {
  AgentTimeout,
  DomainAffect,
  DomainInterfaceSource,
  DomainMemoryStat,
  DomainVcpu,
  isLibvirtError,
} from '../../../src/libvirt/index.ts';
import { diskXml } from './builders.ts';
import { collect, startDomain, useLibvirt } from './context.ts';
import { waitFor } from './daemon.ts';
import { makeImage } from './images.ts';

const context = useLibvirt();
const LIVE = DomainAffect.LIVE;

describe('devices of a running domain', () => {
  it('come, change and go, and their going is an event', async () => {
    const { libvirt, daemon } = context;
    using removed = await collect(libvirt, 'deviceRemoved');
    using added = await collect(libvirt, 'deviceAdded');
    const dom = await startDomain(libvirt, { name: 'plug', devices: "<controller type='usb' model='qemu-xhci'/>" });
    const path = makeImage(daemon, 'stick.qcow2');
    const stick = diskXml(path, 'sda')
      .replace("bus='virtio'", "bus='usb'")
      .replace('</disk>', "<alias name='ua-stick'/></disk>");
    await libvirt.call('domainAttachDeviceFlags', { dom, xml: stick, flags: LIVE });
    expect((await added.until('of the stick', ({ devAlias }) => devAlias === 'ua-stick')).dom.uuid).toBe(dom.uuid);
    expect((await libvirt.call('domainGetXmlDesc', { dom })).xml).toContain(path);
    // A USB device needs no guest's consent to go; a PCI device would wait for an operating system.
    await libvirt.call('domainDetachDeviceAlias', { dom, alias: 'ua-stick', flags: LIVE });
    await removed.until('of the stick', ({ devAlias }) => devAlias === 'ua-stick');
    expect((await libvirt.call('domainGetXmlDesc', { dom })).xml).not.toContain(path);

    await libvirt.call('domainAttachDeviceFlags', { dom, xml: stick, flags: LIVE });
    await libvirt.call('domainDetachDeviceFlags', { dom, xml: stick, flags: LIVE });
    await waitFor(
      'the stick to be gone',
      10_000,
      async () => !(await libvirt.call('domainGetXmlDesc', { dom })).xml.includes(path),
    );
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('change in place: another medium in the drive', async () => {
    const { libvirt, daemon } = context;
    const drive = (path: string) =>
      `<disk type='file' device='cdrom'><driver name='qemu' type='qcow2'/><source file='${path}'/><target dev='sda' bus='sata'/><readonly/></disk>`;
    const first = makeImage(daemon, 'first.qcow2');
    const second = makeImage(daemon, 'second.qcow2');
    const dom = await startDomain(libvirt, { name: 'medium', devices: drive(first) });
    await libvirt.call('domainUpdateDeviceFlags', { dom, xml: drive(second), flags: LIVE });
    const { xml } = await libvirt.call('domainGetXmlDesc', { dom });
    expect(xml).toContain(second);
    expect(xml).not.toContain(first);
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('are refused with a reason', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'refuse' });
    const call = libvirt.call('domainDetachDeviceAlias', { dom, alias: 'ua-none', flags: LIVE });
    await expect(call).rejects.toThrow(/domainDetachDeviceAlias: .*no device found with alias ua-none/);
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('processors and memory of a running domain', () => {
  it('are added within the maximum', async () => {
    const { libvirt } = context;
    const { domainXml } = await import('./builders.ts');
    const xmlDesc = domainXml({ name: 'grow' }).replace('<vcpu>1</vcpu>', "<vcpu current='1'>3</vcpu>");
    const { dom } = await libvirt.call('domainCreateXml', { xmlDesc });
    await libvirt.call('domainSetVcpusFlags', { dom, nvcpus: 2, flags: DomainVcpu.LIVE });
    expect(await libvirt.call('domainGetVcpusFlags', { dom, flags: DomainVcpu.LIVE })).toEqual({ num: 2 });
    expect(await libvirt.call('domainGetVcpusFlags', { dom, flags: DomainVcpu.LIVE | DomainVcpu.MAXIMUM })).toEqual({
      num: 3,
    });
    const tooMany = libvirt.call('domainSetVcpusFlags', { dom, nvcpus: 4, flags: DomainVcpu.LIVE });
    await expect(tooMany).rejects.toSatisfy((error: unknown) => isLibvirtError(error, 'INVALID_ARG'));
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('balloon figures are read, the target is set', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'balloon', memoryMib: 32, devices: "<memballoon model='virtio'/>" });
    await libvirt.call('domainSetMemoryStatsPeriod', { dom, periodSeconds: 1, flags: LIVE });
    await libvirt.call('domainSetMemoryFlags', { dom, memoryKib: 24 * 1024, flags: LIVE });
    const { stats } = await libvirt.call('domainMemoryStats', { dom });
    const tags = new Map(stats.map(({ tag, val }) => [tag, val]));
    expect(tags.get(DomainMemoryStat.ACTUAL_BALLOON)).toBe(32n * 1024n);
    expect(tags.get(DomainMemoryStat.RSS)).toBeGreaterThan(0n);
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('the guest agent', () => {
  const channel = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";
  const ping = { cmd: '{"execute":"guest-ping"}', timeoutSeconds: AgentTimeout.DEFAULT };

  it('that is not configured is an error of every call that needs it', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'no-agent' });
    await expect(libvirt.call('qemuDomainAgentCommand', { dom, ...ping })).rejects.toMatchObject({
      codeName: 'ARGUMENT_UNSUPPORTED',
      message: expect.stringMatching(/guest agent is not configured/),
    });
    await expect(libvirt.call('domainFsfreeze', { dom, mountpoints: [] })).rejects.toMatchObject({
      codeName: 'ARGUMENT_UNSUPPORTED',
    });
    await libvirt.call('domainDestroyFlags', { dom });
  });

  it('that does not run in the guest is another error', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'dead-agent', devices: channel });
    const error = { codeName: 'AGENT_UNRESPONSIVE', message: expect.stringMatching(/guest agent is not connected/) };
    await expect(libvirt.call('qemuDomainAgentCommand', { dom, ...ping })).rejects.toMatchObject(error);
    await expect(libvirt.call('domainFsfreeze', { dom, mountpoints: ['/'] })).rejects.toMatchObject(error);
    await expect(libvirt.call('domainFsthaw', { dom, mountpoints: [] })).rejects.toMatchObject(error);
    await expect(libvirt.call('domainFstrim', { dom, minimum: 0 })).rejects.toMatchObject(error);
    await expect(libvirt.call('domainGetFsinfo', { dom })).rejects.toMatchObject(error);
    await expect(libvirt.call('domainGetGuestInfo', { dom })).rejects.toMatchObject(error);
    const source = DomainInterfaceSource.AGENT;
    await expect(libvirt.call('domainInterfaceAddresses', { dom, source })).rejects.toMatchObject(error);
    await libvirt.call('domainDestroyFlags', { dom });
  });
});

describe('QEMU’s monitor', () => {
  it('answers in JSON and in the human syntax', async () => {
    const { libvirt } = context;
    const dom = await startDomain(libvirt, { name: 'monitor' });
    const json = await libvirt.call('qemuDomainMonitorCommand', { dom, cmd: '{"execute":"query-name"}' });
    expect(JSON.parse(json.result)).toMatchObject({ return: { name: 'monitor' } });
    const human = await libvirt.call('qemuDomainMonitorCommand', { dom, cmd: 'info name', flags: 1 });
    expect(human.result.trim()).toBe('monitor');
    await libvirt.call('domainDestroyFlags', { dom });
  });
});
