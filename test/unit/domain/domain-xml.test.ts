import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { domainXml, type HostSide, type Intent } from '../../../src/domain/index.ts';
import { disk, instanceSpec, nic } from '../../builders/virtual-machine-instance.ts';

const STARTED_AT = '2026-01-02T03:04:05.000Z';

const host: HostSide = {
  virtualization: 'kvm',
  consoleLogPath: '/var/log/libvirt/qemu/default_web.console.log',
  ports: new Map(),
};

const intent = (changes: Parameters<typeof instanceSpec>[0] = {}): Intent => ({
  namespace: 'default',
  name: 'web',
  spec: instanceSpec(changes),
});

const full = intent({
  epoch: 3,
  restartedAt: '2026-01-01T00:00:00Z',
  cpu: { sockets: 2, coresPerSocket: 4, threads: 2, model: 'Haswell-noTSX-IBRS' },
  memoryBytes: 4 * 2 ** 30,
  machineType: 'pc-q35-7.2',
  disks: [
    disk({ bootOrder: 1 }),
    disk({ name: 'data', target: 'sda', bus: 'scsi', format: 'raw', cache: 'writeback', path: '/d/data.raw' }),
    disk({ name: 'old', target: 'sdb', bus: 'sata', readOnly: true }),
  ],
  nics: [nic({ bootOrder: 2 }), nic({ name: 'dmz', mac: '52:54:00:00:00:01', vlan: 7, model: 'e1000e' })],
  watchdog: { model: 'i6300esb' },
  cloudInit: { instanceID: 'i-1', hostname: 'web', userData: '#cloud-config\npassword: swordfish\n' },
});

const fullHost: HostSide = {
  ...host,
  seedPath: '/run/drover/seeds/web.iso',
  ports: new Map([
    ['net', { bridge: 'dv-0a1b2c3d', mtuBytes: 1500 }],
    ['dmz', { bridge: 'dv-4e5f6a7b', mtuBytes: 9000 }],
  ]),
};

const golden: [file: string, intent: Intent, host: HostSide][] = [
  ['diskless-kvm', intent(), host],
  ['diskless-qemu', intent(), { ...host, virtualization: 'qemu', cpuFeatures: ['aes', 'lm'] }],
  ['every-device', full, fullHost],
];

describe('the XML of a domain', () => {
  // To renew after a wanted change: write what the failed test shows into the file, and read the difference.
  it.each(golden)('is that of golden/%s.xml', (file, of, on) => {
    const expected = readFileSync(new URL(`golden/${file}.xml`, import.meta.url), 'utf8');
    expect(domainXml(of, on, STARTED_AT)).toBe(expected);
  });

  it('does not hold the cloud-init data, which may be secret', () => {
    expect(domainXml(full, fullHost, STARTED_AT)).not.toContain('swordfish');
  });

  it('gives the guest its seed on a disk that any cloud kernel can read, and cannot write', () => {
    const xml = domainXml(intent(), { ...host, seedPath: '/s.iso' }, STARTED_AT);
    expect(xml).toMatch(/<source file="\/s\.iso"\/>\s*<target dev="vdz" bus="virtio"\/>\s*<readonly\/>/);
  });

  it('refuses a NIC without a port, naming the switch', () => {
    expect(() => domainXml(intent({ nics: [nic()] }), host, STARTED_AT)).toThrow(
      'NIC net of default/web has no port on VirtualSwitch lan',
    );
  });

  it('refuses a character that XML cannot carry, naming the place', () => {
    const hostile = intent({ disks: [disk({ serial: 'a\0b' })] });
    expect(() => domainXml(hostile, host, STARTED_AT)).toThrow('Text of <serial> holds the character U+0000');
  });
});
