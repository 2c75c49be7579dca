import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { readConsoleCounters } from '../lab/guest/console-counters.ts';
import { waitFor } from '../lab/wait.ts';
import { disklessVM, guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

/** The process id of a domain's QEMU: the same one means that the guest was never interrupted. */
async function qemuOf(host: string, vm: string): Promise<string> {
  return (await story.lab.host(host).run('cat', [`/run/libvirt/qemu/default_${vm}.pid`])).trim();
}

describe('a running VM', () => {
  let host = '';
  let qemu = '';

  beforeAll(async () => {
    await story.apply(guestVM('steady'));
    host = (await story.running('steady')).status?.host ?? '';
    await story.says(host, 'steady', /counter=/);
    qemu = await qemuOf(host, 'steady');
  });

  it.each([
    ['its agent is killed', () => story.lab.restartAgent(host, 'killed')],
    ['the operator is killed', () => story.lab.restartOperator('killed')],
    ['libvirtd is killed', () => story.lab.restartLibvirtd(host, 'killed')],
    [
      'the API server is killed',
      async () => {
        await story.lab.controlPlane.apiServer.kill();
        await story.lab.controlPlane.apiServer.start();
      },
    ],
  ])('goes on when %s, and so does its management', async (_what, fault) => {
    await fault();
    await story.hostsReady();
    const probe = `probe-${Date.now()}`;
    await story.apply(disklessVM(probe, { hostSelector: { matchLabels: { 'kubernetes.io/hostname': host } } }));
    await story.running(probe);
    await story.kubectl(['delete', 'vm', probe]);
    expect(await qemuOf(host, 'steady')).toBe(qemu);
    expect((await story.running('steady')).status?.epoch).toBe(1);
    expect(readConsoleCounters(story.consoleOn(host, 'steady')).verdict).toEqual({ ok: true });
  });

  it('is the only copy after all that', async () => {
    expect((await story.domains()).filter(({ domain }) => domain === 'default_steady')).toHaveLength(1);
  });
});

describe('a domain that Drover did not make', () => {
  const xml = "<domain type='qemu'><name>foreign</name><memory>16384</memory><os><type>hvm</type></os></domain>";

  it('is reported and left alone', async () => {
    const host = story.lab.host('host-1');
    const script = 'printf %s "$1" >/run/foreign.xml && virsh create /run/foreign.xml';
    await host.run('sh', ['-c', script, 'sh', xml]);
    try {
      await story.when(Host, { name: 'host-1' }, 'to report it', ({ status }) =>
        Boolean(status?.foreignDomains.some(({ name }) => name === 'foreign')),
      );
      await story.lab.restartAgent('host-1', 'killed');
      await story.hostsReady();
      expect(await story.domains()).toContainEqual({ host: 'host-1', domain: 'foreign' });
    } finally {
      await host.run('virsh', ['destroy', 'foreign']);
    }
    await story.when(
      Host,
      { name: 'host-1' },
      'to report it no more',
      ({ status }) => status?.foreignDomains.length === 0,
    );
  });
});

describe('a host that loses power', () => {
  it('leaves its VMs in an unknown state, and starts them again when it is back', async () => {
    await story.apply(
      disklessVM('faithful', { hostSelector: { matchLabels: { 'kubernetes.io/hostname': 'host-3' } } }),
    );
    const before = await story.running('faithful');
    await story.lab.killHost('host-3');
    await story.vmWhen('faithful', 'to be unknown', ({ status }) => status?.phase === 'Unknown');
    expect((await story.domains()).filter(({ domain }) => domain === 'default_faithful')).toEqual([]);
    await story.lab.powerOn('host-3');
    await story.vmWhen('faithful', 'to run anew', ({ status }) => {
      return status?.phase === 'Running' && status.startedAt !== before.status?.startedAt;
    });
    await waitFor(
      'the domain to be there once',
      async () => {
        const found = (await story.domains()).filter(({ domain }) => domain === 'default_faithful');
        return found.length === 1 ? { ready: true, value: found } : { ready: false, because: JSON.stringify(found) };
      },
      { timeoutMs: 30_000 },
    );
  });
});
