import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from '../../src/api/cluster.ts';
import { Host } from '../../src/api/host.ts';
import { Migration } from '../../src/api/migration.ts';
import { HaStory, onHosts } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  // A BMC that does not answer need not be waited for so long.
  ha = await HaStory.open('hasty', { policy: { fencing: { timeoutSeconds: 8 } } });
  story = ha.story;
});
afterAll(async () => await ha.close());

// What a test has broken, it mends; the next one begins with three hosts that can be fenced.
beforeEach(async () => {
  for (const { name } of story.lab.hosts) {
    await story.when(Host, { name }, 'to be online and ready to be fenced', ({ status }) => {
      const ready = status?.conditions.find(({ type }) => type === 'FencingReady');
      return status?.availability?.state === 'Online' && ready?.status === 'True';
    });
  }
  await story.hostsReady();
});

/** How a host stands, as soon as it is for that reason. */
const stateWhen = async (host: string, reason: string) => (await ha.hostWhen(host, { reason })).status?.availability;

describe('VMs of a host', () => {
  it('that loses its power run elsewhere within seconds, and are protected there again', async () => {
    const from = await ha.counting('ha-power');
    expect((await story.vm('ha-power')).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'HAProtected', status: 'True' }),
    );
    const killedAt = Date.now();
    await story.lab.killHost(from);
    const { status } = await ha.movedFrom('ha-power', from);
    const to = status?.host ?? '';
    const failover = status?.lastFailover;
    expect(failover).toMatchObject({ from, to, proof: 'BMC' });
    // The order of a failover. How long each part takes, the bench says.
    const times = [failover?.detectedAt, failover?.fencedAt, failover?.decidedAt, failover?.runningAt].map((at) =>
      Date.parse(at ?? ''),
    );
    expect([killedAt, ...times]).toEqual([killedAt, ...times].toSorted((a, b) => a - b));
    await ha.hadOneOwner('ha-power', [from, to], 2);
    await story.lab.powerOn(from);
    await story.hostsReady();
    // What is back finds another placement than it knew, and leaves it alone.
    await stateWhen(from, 'Alive');
    await ha.hadOneOwner('ha-power', [from, to], 2);
    await story.kubectl(['delete', 'vm', 'ha-power', '--wait=false']);
  });

  it.each([
    ['Redfish', 'host-1'],
    ['IPMI', 'host-2'],
  ])('that hangs run elsewhere once its BMC (%s) has cut the power', async (type, from) => {
    const name = `ha-hang-${type.toLowerCase()}`;
    await ha.counting(name, onHosts(from, 'host-3'));
    const before = (await story.vm(name)).status?.host ?? '';
    await story.lab.freeze(before);
    const { status } = await ha.movedFrom(name, before);
    expect(status?.lastFailover).toMatchObject({ from: before, proof: 'BMC' });
    expect(await stateWhen(before, 'PoweredOff')).toMatchObject({
      state: 'Fenced',
      fence: { method: 'BMC', attempts: 1 },
    });
    expect(story.lab.host(before).hasPower()).toBe(false);
    await ha.hadOneOwner(name, [before, status?.host ?? ''], 2);
    await story.lab.heal(before);
    await story.lab.powerOn(before);
    await story.kubectl(['delete', 'vm', name, '--wait=false']);
  });

  it('that is cut off run elsewhere, and nothing of them is left when it is back', async () => {
    const from = await ha.counting('ha-cut');
    await story.lab.cut(from);
    const { status } = await ha.movedFrom('ha-cut', from);
    expect(status?.lastFailover).toMatchObject({ from, proof: 'BMC' });
    await ha.hadOneOwner('ha-cut', [from, status?.host ?? ''], 2);
    await story.lab.heal(from);
    await story.lab.powerOn(from);
    await stateWhen(from, 'Alive');
    await ha.hadOneOwner('ha-cut', [from, status?.host ?? ''], 2);
    await story.kubectl(['delete', 'vm', 'ha-cut', '--wait=false']);
  });

  it('whose agent alone dies run on, however long that lasts', async () => {
    const host = await ha.counting('ha-agent');
    await story.lab.stopAgent(host, 'killed');
    await stateWhen(host, 'AgentNotResponding');
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(await stateWhen(host, 'AgentNotResponding')).toMatchObject({ state: 'Suspect' });
    expect(story.lab.host(host).hasPower()).toBe(true);
    expect((await story.instance('ha-agent')).spec).toMatchObject({ host, epoch: 1 });
    await story.lab.startAgent(host);
    await stateWhen(host, 'Alive');
    await ha.hadOneOwner('ha-agent', [host], 1);
    await story.kubectl(['delete', 'vm', 'ha-agent', '--wait=false']);
  });

  it('whose BMC does not answer wait for an administrator, and run elsewhere when one has confirmed it', async () => {
    const from = await ha.counting('ha-manual');
    await story.lab.unplugBmc(from);
    await story.lab.killHost(from);
    const failed = await stateWhen(from, 'FencingFailed');
    expect(failed?.message).toContain('could not be powered off');
    expect((await story.instance('ha-manual')).spec.host).toBe(from);
    await story.kubectl(['annotate', 'host', from, `drover.dev/confirm-fenced=${failed?.bootID}`]);
    const { status } = await ha.movedFrom('ha-manual', from);
    expect(status?.lastFailover).toMatchObject({ from, proof: 'Administrator' });
    await story.lab.plugBmc(from);
    await story.kubectl(['annotate', 'host', from, 'drover.dev/confirm-fenced-']);
    await story.lab.powerOn(from);
    await ha.hadOneOwner('ha-manual', [from, status?.host ?? ''], 2);
    await story.kubectl(['delete', 'vm', 'ha-manual', '--wait=false']);
  });

  it('that is back before it could be fenced run on there, and nobody fences it for that any more', async () => {
    const host = await ha.counting('ha-back');
    await story.lab.unplugBmc(host);
    await story.lab.cut(host);
    await stateWhen(host, 'FencingFailed');
    await story.lab.heal(host);
    await stateWhen(host, 'Alive');
    await story.lab.plugBmc(host);
    // Longer than the next attempt was to wait.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(story.lab.host(host).hasPower()).toBe(true);
    expect((await story.instance('ha-back')).spec).toMatchObject({ host, epoch: 1 });
    await ha.hadOneOwner('ha-back', [host], 1);
    await story.kubectl(['delete', 'vm', 'ha-back', '--wait=false']);
  });

  it('that is cut off together with another one run on: that is the network, and nobody is fenced', async () => {
    const host = await ha.counting('ha-network');
    const other = story.lab.hosts.map(({ name }) => name).find((name) => name !== host) ?? '';
    await Promise.all([host, other].map((name) => story.lab.cut(name)));
    await stateWhen(host, 'TooManySilent');
    const cluster = await story.when(Cluster, { name: 'lab' }, 'to say so', ({ status }) =>
      Boolean(status?.conditions.some(({ type, reason }) => type === 'HAReady' && reason === 'HostsSilent')),
    );
    expect(cluster.status?.conditions.find(({ type }) => type === 'HAReady')?.message).toContain(host);
    await Promise.all([host, other].map((name) => story.lab.heal(name)));
    await Promise.all([host, other].map((name) => stateWhen(name, 'Alive')));
    expect([host, other].map((name) => story.lab.host(name).hasPower())).toEqual([true, true]);
    expect((await story.instance('ha-network')).spec).toMatchObject({ host, epoch: 1 });
    await ha.hadOneOwner('ha-network', [host], 1);
    await story.kubectl(['delete', 'vm', 'ha-network', '--wait=false']);
  });

  it('that dies while it is moved to another host is settled there first, and runs on one of them', async () => {
    const from = await ha.counting('ha-moving');
    const to = from === 'host-1' ? 'host-2' : 'host-1';
    // It takes a minute.
    await ha.patch('cluster', 'lab', { migration: { bandwidth: '2Mi' } });
    const id = { namespace: 'default', name: 'half-way' };
    await story.apply({
      apiVersion: 'drover.dev/v1alpha1',
      kind: 'Migration',
      metadata: id,
      spec: { virtualMachineName: 'ha-moving', targetHost: to },
    });
    await story.when(Migration, id, 'to copy', ({ status }) => (status?.progress?.processedBytes ?? 0) > 0);
    await story.when(Host, { name: to }, 'to receive it', ({ status }) =>
      (status?.incomingMigrations ?? []).some(({ domain }) => domain === 'Receiving'),
    );
    await story.lab.killHost(from);
    const { status } = await ha.movedFrom('ha-moving', from);
    expect(status?.lastFailover).toMatchObject({ from, proof: 'BMC' });
    const { status: end } = await story.when(Migration, id, 'to be over', (each) => each.status?.phase === 'Failed');
    expect(end?.failures).toEqual([
      { reason: 'SourceLost', message: `Host ${from} is off (BMC), and ${to} has no copy: the VM has stopped.` },
    ]);
    await ha.patch('cluster', 'lab', { migration: { bandwidth: null } });
    await story.lab.powerOn(from);
    await ha.hadOneOwner('ha-moving', [from, status?.host ?? ''], 2);
    await story.kubectl(['delete', 'vm', 'ha-moving', '--wait=false']);
  });

  it('that dies together with the operator run elsewhere when another one leads', async () => {
    const from = await ha.counting('ha-leader');
    await story.lab.stopOperator('killed');
    await story.lab.killHost(from);
    await story.lab.startOperator();
    const { status } = await ha.movedFrom('ha-leader', from);
    expect(status?.lastFailover).toMatchObject({ from, proof: 'BMC' });
    await story.lab.powerOn(from);
    await ha.hadOneOwner('ha-leader', [from, status?.host ?? ''], 2);
    await story.kubectl(['delete', 'vm', 'ha-leader', '--wait=false']);
  });
});

describe('a restart that does not succeed at once', () => {
  /** Takes the name of a VM's domain on a host, so that the VM cannot be started there. */
  const occupy = async (host: string, name: string) => {
    const os = '<os><type>hvm</type></os>';
    const xml = `<domain type='qemu'><name>default_${name}</name><memory>16384</memory>${os}</domain>`;
    const script = 'printf %s "$1" >/run/occupied.xml && virsh create /run/occupied.xml';
    await story.lab.host(host).run('sh', ['-c', script, 'sh', xml]);
  };
  const free = async (host: string, name: string) => {
    await story.lab.host(host).run('virsh', ['destroy', `default_${name}`]);
  };
  /** Boots a guest on host-1, which may run on the others as well from then on. */
  const onFirst = async (name: string, spec: object = {}) => {
    await ha.counting(name, { ...onHosts('host-1'), ...spec });
    await ha.patch('vm', name, { hostSelector: null });
    await story.vmWhen(name, 'to be protected', ({ status }) =>
      Boolean(status?.conditions.some(({ type, status: is }) => type === 'HAProtected' && is === 'True')),
    );
  };

  it('is made on the next host, and after the last attempt waits until it is asked for', async () => {
    await ha.patchPolicy({ restart: { maxAttempts: 2 } });
    await onFirst('ha-refused');
    await occupy('host-2', 'ha-refused');
    await occupy('host-3', 'ha-refused');
    try {
      await story.lab.killHost('host-1');
      const { status } = await story.vmWhen('ha-refused', 'to have been tried everywhere', (vm) =>
        Boolean(vm.status?.conditions.some(({ reason }) => reason === 'RestartFailed')),
      );
      expect(status?.phase).toBe('Failed');
      const tried = status?.recovery?.tried ?? [];
      expect(tried.map(({ host }) => host).toSorted()).toEqual(['host-2', 'host-3']);
      expect(tried.map(({ reason }) => reason)).toEqual(['DomainNameTaken', 'DomainNameTaken']);
      const text = await story.kubectl(['drover', 'explain', 'vm', 'ha-refused']);
      expect(text).toContain('Ready False: RestartFailed: every attempt to run the VM elsewhere has failed');
      expect(text).toMatch(/Hosts that failed to start it, the first attempt first:\n {2}host-[23] {2}DomainNameTaken/);
      await free('host-3', 'ha-refused');
      await story.kubectl(['annotate', 'vm', 'ha-refused', `drover.dev/restartedAt=${Date.now()}`]);
      const moved = await ha.movedFrom('ha-refused', 'host-1');
      expect(moved.status).toMatchObject({ host: 'host-3', lastFailover: { from: 'host-1', proof: 'BMC' } });
      expect(moved.status?.recovery).toBeUndefined();
    } finally {
      await free('host-2', 'ha-refused');
      await ha.patchPolicy({ restart: { maxAttempts: 5 } });
      await story.lab.powerOn('host-1');
    }
    await ha.hadOneOwner('ha-refused', ['host-1', 'host-3'], 2);
    await story.kubectl(['delete', 'vm', 'ha-refused', '--wait=false']);
  });

  it('waits for the VM that it depends on until that one runs', async () => {
    await onFirst('ha-base', { ha: { restartPriority: 'Lowest' } });
    await onFirst('ha-web', { ha: { restartPriority: 'Highest', dependsOn: [{ name: 'ha-base' }] } });
    await story.lab.killHost('host-1');
    const base = await ha.movedFrom('ha-base', 'host-1');
    const web = await ha.movedFrom('ha-web', 'host-1');
    expect(Date.parse(web.status?.lastFailover?.decidedAt ?? '')).toBeGreaterThanOrEqual(
      Date.parse(base.status?.lastFailover?.runningAt ?? ''),
    );
    await story.lab.powerOn('host-1');
    await ha.hadOneOwner('ha-web', ['host-1', web.status?.host ?? ''], 2);
    await story.kubectl(['delete', 'vm', 'ha-base', 'ha-web', '--wait=false']);
  });
});

describe('when the API server is away from all', () => {
  it('nobody is fenced, and all goes on', async () => {
    const host = await ha.counting('ha-outage');
    const fences = async () => {
      const { items } = await story.client.list(Host);
      return items.map(({ metadata, status }) => [metadata.name, status?.availability?.fence]);
    };
    const before = await fences();
    await story.lab.controlPlane.apiServer.kill();
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    await story.lab.controlPlane.apiServer.start();
    await story.hostsReady();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect(await fences()).toEqual(before);
    expect((await story.running('ha-outage')).status).toMatchObject({ host, epoch: 1 });
    await ha.hadOneOwner('ha-outage', [host], 1);
  });
});
