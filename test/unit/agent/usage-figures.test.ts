import { describe, expect, it } from 'vitest';
import { virtualMachineUsage } from '../../../src/agent/usage/virtual-machine-usage.ts';
import { VirtualMachineUsage } from '../../../src/api/usage.ts';

const owner = { uid: 'u', namespace: 'default', name: 'web' };

describe('virtualMachineUsage', () => {
  it('reads libvirt’s figures', () => {
    const usage = virtualMachineUsage(owner, {
      'cpu.time': 1_500_000_000n,
      'vcpu.current': 2,
      'vcpu.0.state': 1,
      'vcpu.0.delay': 500_000_000n,
      'vcpu.1.state': 1,
      'vcpu.1.delay': 250_000_000n,
      'balloon.current': 1024n,
      'balloon.maximum': 2048n,
      'balloon.rss': 512n,
      'block.count': 1,
      'block.0.name': 'vda',
      'block.0.rd.bytes': 10n,
      'block.0.rd.reqs': 1n,
      'block.0.wr.bytes': 20n,
      'block.0.wr.reqs': 2n,
      'net.0.name': 'vnet0',
      'net.0.rx.bytes': 30n,
      'net.0.rx.pkts': 3n,
      'net.0.rx.drop': 1n,
      'net.0.tx.bytes': 40n,
      'net.0.tx.pkts': 4n,
      'net.0.tx.drop': 2n,
    });
    expect(usage).toEqual({
      ...owner,
      cpuSeconds: 1.5,
      vcpus: 2,
      readySeconds: 0.75,
      memory: { currentBytes: 2 ** 20, maximumBytes: 2 ** 21, residentBytes: 2 ** 19 },
      disks: [{ name: 'vda', readBytes: 10, writtenBytes: 20, readOperations: 1, writeOperations: 2 }],
      nics: [
        { name: 'vnet0', receivedBytes: 30, receivedPackets: 3, sentBytes: 40, sentPackets: 4, droppedPackets: 3 },
      ],
    });
  });

  it('is valid also for a domain of which libvirt tells nothing', () => {
    const usage = virtualMachineUsage(owner, {});
    expect(VirtualMachineUsage.parse(usage)).toMatchObject({ cpuSeconds: 0, vcpus: 0, disks: [], nics: [] });
  });

  it('counts figures that libvirt marks as unknown with -1 as 0', () => {
    const usage = virtualMachineUsage(owner, { 'block.0.name': 'sda', 'block.0.rd.bytes': -1n });
    expect(usage.disks[0]?.readBytes).toBe(0);
  });

  it('keeps the order of ten and more disks', () => {
    const stats = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`block.${index}.name`, `vd${index}`]));
    expect(virtualMachineUsage(owner, stats).disks.map(({ name }) => name)).toEqual(Object.values(stats));
  });
});
