import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGuestImage, type GuestImage } from '../../lab/guest/build.ts';
import { readConsoleCounters } from '../../lab/guest/console-counters.ts';
import { readDiskCounter } from '../../lab/guest/disk-counter.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';
import { type OwnHosts, startOwnHosts } from './own-hosts.ts';
import {
  BOOT_TIMEOUT_MS,
  consoleOf,
  createDomain,
  startDomain,
  type TestDomain,
  typeOnConsole,
  virsh,
  waitForConsole,
  waitForCounter,
  waitUntilGone,
} from './test-domain.ts';

const TEST_TIMEOUT_MS = 3 * BOOT_TIMEOUT_MS;
let own: OwnHosts;
let host: LabHost;
let image: GuestImage;

beforeAll(async () => {
  image = await buildGuestImage();
  own = await startOwnHosts('guest', 1);
  host = own.host(1);
}, 300_000);
afterAll(async () => own.remove());

describe('the test guest', { timeout: TEST_TIMEOUT_MS }, () => {
  it('is a small image that can be cached', () => {
    expect(image.diskBytes).toBeLessThan(60 * 1024 * 1024);
  });

  it('counts on console and disk, and goes on counting after a power cut', async () => {
    const domain = await startDomain(host, { name: 'counting', image: image.disk });
    const counter = await waitForCounter(host, domain.name, 3);
    const running = await readDiskCounter(outside(domain));
    expect(running.counter).toBeGreaterThanOrEqual(counter);

    await virsh(host, 'destroy', domain.name);
    const firstConsole = consoleOf(host, domain.name);
    const seen = readConsoleCounters(firstConsole).readings.at(-1);
    const kept = await readDiskCounter(outside(domain));
    expect(kept.boot).toBe(seen?.boot);
    expect(kept.counter - (seen?.counter ?? 0)).toBeOneOf([0, 1]);

    await createDomain(host, domain);
    await waitForCounter(host, domain.name, kept.counter + 2);
    const { boots, verdict, readings } = readConsoleCounters(firstConsole + consoleOf(host, domain.name));
    expect(verdict).toEqual({ ok: true });
    expect(boots).toHaveLength(2);
    expect(readings.find(({ boot }) => boot === boots[1])?.counter).toBe(kept.counter + 1);
    await virsh(host, 'destroy', domain.name);
  });

  it.each([
    { where: 'CD-ROM', device: 'cdrom', target: '<target dev="sda" bus="scsi"/>' },
    { where: 'disk', device: 'disk', target: '<target dev="vdz" bus="virtio"/>' },
  ])('takes its host name, address, files and commands from a cloud-init seed on a $where', async (seedOn) => {
    const seed = await writeSeed(`seed-${seedOn.device}`);
    const domain = await startDomain(host, {
      name: `seeded-${seedOn.device}`,
      image: image.disk,
      devices: `<disk type="file" device="${seedOn.device}"><driver name="qemu" type="raw"/><source file="${seed}"/>
          ${seedOn.target}<readonly/></disk>
        <controller type="scsi" model="virtio-scsi"/>
        <interface type="ethernet"><model type="virtio"/></interface>`,
    });
    await waitForConsole(host, domain.name, /drover-guest web-1 counter=1 boot=/);
    await waitForConsole(host, domain.name, /drover-guest web-1 eth0=192\.0\.2\.7\/24/);
    await waitForConsole(host, domain.name, /ran: it's "quoted" & done/);
    await waitForConsole(host, domain.name, /list: a b/);
    await typeOnConsole(host, domain.name, 'cat /etc/app/conf; ls -l /etc/app/conf', () =>
      waitForConsole(host, domain.name, /key: value\r?\n {2}nested: \$HOME\r?\n\r?\nlast\r?\n-rw-r-----/),
    );
    await virsh(host, 'destroy', domain.name);
  });

  it('answers through the guest agent and shuts down cleanly when the power button is pressed', async () => {
    const domain = await startDomain(host, { name: 'polite', image: image.disk });
    await waitForCounter(host, domain.name, 1);
    await agentAnswers(domain);
    const info = await virsh(host, 'qemu-agent-command', domain.name, '{"execute":"guest-get-host-name"}');
    expect(JSON.parse(info)).toEqual({ return: { 'host-name': 'drover-guest' } });

    await virsh(host, 'shutdown', domain.name, '--mode', 'acpi');
    await waitUntilGone(host, domain.name);
    expect(consoleOf(host, domain.name)).toMatch(/drover-guest drover-guest stopped/);
  });

  it('shuts down and reboots when its guest agent is asked to', async () => {
    const domain = await startDomain(host, { name: 'asked', image: image.disk });
    await waitForCounter(host, domain.name, 1);
    await agentAnswers(domain);
    await virsh(host, 'reboot', domain.name, '--mode', 'agent');
    await waitForConsole(host, domain.name, /stopped.*continues=/s);
    await agentAnswers(domain);
    await virsh(host, 'shutdown', domain.name, '--mode', 'agent');
    await waitUntilGone(host, domain.name);
    expect(consoleOf(host, domain.name).match(/stopped/g)).toHaveLength(2);
    expect(readConsoleCounters(consoleOf(host, domain.name)).verdict).toEqual({ ok: true });
  });

  it('obeys what is typed on its console: power-off, and a panic that pvpanic reports', async () => {
    const devices = '<panic model="isa"/>';
    const domain = await startDomain(host, { name: 'typed', image: image.disk, devices });
    await waitForCounter(host, domain.name, 1);
    await typeOnConsole(host, domain.name, 'poweroff', () => waitUntilGone(host, domain.name));
    expect(consoleOf(host, domain.name)).toMatch(/stopped/);

    await createDomain(host, domain, { devices });
    // QEMU stops the guest, too, and tells both in either order: how it ended stands in its log.
    await typeOnConsole(host, domain.name, 'echo c > /proc/sysrq-trigger', () => waitUntilGone(host, domain.name));
    expect(logOf(host, domain.name)).toMatch(/reason=crashed/);
  });

  it('notices that somebody else writes to its disk', async () => {
    const domain = await startDomain(host, { name: 'robbed', image: image.disk });
    await waitForCounter(host, domain.name, 1);
    // What a second copy of the VM would do, were it not for the image lock. A write between the guest's look at the disk
    // and its own write goes unseen, so the robber comes again.
    const write = 'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write -P 65 524288 512"';
    await waitFor(
      'the guest to notice the robber',
      async () => {
        await virsh(host, 'qemu-monitor-command', domain.name, '--hmp', write);
        return /intruder="A+/.test(consoleOf(host, domain.name))
          ? { ready: true, value: undefined }
          : { ready: false, because: consoleOf(host, domain.name).slice(-300) };
      },
      { timeoutMs: BOOT_TIMEOUT_MS, intervalMs: 300 },
    );
    expect(readConsoleCounters(consoleOf(host, domain.name)).verdict).toMatchObject({ reason: 'SecondOwner' });
    await virsh(host, 'destroy', domain.name);
  });
});

/** QEMU's own log, as libvirt keeps it. */
function logOf({ files }: LabHost, name: string): string {
  return readFileSync(join(files.root, 'var', 'log', 'libvirt', 'qemu', `${name}.log`), 'utf8');
}

function outside(domain: TestDomain): string {
  return join(host.files.sharedDatastore, `${domain.name}.qcow2`);
}

async function agentAnswers(domain: TestDomain): Promise<void> {
  await waitFor(
    `the guest agent of ${domain.name} to answer`,
    async () => {
      try {
        const ping = ['qemu-agent-command', domain.name, '--timeout', '5', '{"execute":"guest-ping"}'];
        return { ready: true, value: await virsh(host, ...ping) };
      } catch (error) {
        return { ready: false, because: String(error) };
      }
    },
    { timeoutMs: BOOT_TIMEOUT_MS },
  );
}

async function writeSeed(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'drover-seed-'));
  try {
    writeFileSync(join(folder, 'meta-data'), 'instance-id: i-1\nlocal-hostname: from-meta-data\n');
    writeFileSync(
      join(folder, 'user-data'),
      `#cloud-config
hostname: web-1
write_files:
  - path: /etc/app/conf
    permissions: '0640'
    content: |
      key: value
        nested: $HOME

      last
runcmd:
  - echo "ran: it's \\"quoted\\" & done" > /dev/console
  - [sh, -c, "echo list: a b > /dev/console"]
`,
    );
    writeFileSync(
      join(folder, 'network-config'),
      'version: 2\nethernets:\n  eth0:\n    addresses: [192.0.2.7/24]\n    gateway4: 192.0.2.1\n',
    );
    const file = join(host.files.localDatastore, `${name}.iso`);
    await run('genisoimage', ['-quiet', '-output', file, '-volid', 'cidata', '-joliet', '-rational-rock', folder]);
    return `/var/lib/drover/datastores/local/${name}.iso`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
