import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { HaStory } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  ha = await HaStory.open('doubtful', { policy: { fencing: { timeoutSeconds: 8 } } });
  story = ha.story;
});
afterAll(async () => await ha.close());

/** What its condition FencingReady says, as soon as it is for that reason. */
const fencingIs = async (host: string, reason: string) => {
  const ready = ({ status }: Host) => status?.conditions.find(({ type }) => type === 'FencingReady');
  const seen = await story.when(Host, { name: host }, `to be ${reason}`, (each) => ready(each)?.reason === reason);
  return { message: ready(seen)?.message };
};
const stateWhen = async (host: string, reason: string) => (await ha.hostWhen(host, { reason })).status?.availability;

describe('a VM of a host that runs', () => {
  it('is not given away by an administrator who confirms that its host is off', async () => {
    const host = await ha.counting('doubt-confirmed');
    const bootID = (await stateWhen(host, 'Alive'))?.bootID;
    await story.kubectl(['annotate', 'host', host, `drover.dev/confirm-fenced=${bootID}`]);
    const refused = await stateWhen(host, 'ConfirmationRefused');
    expect(refused).toMatchObject({ state: 'Online', message: expect.stringContaining('drover.dev/confirm-fenced') });
    await story.kubectl(['annotate', 'host', host, 'drover.dev/confirm-fenced-']);
    await stateWhen(host, 'Alive');
    expect((await story.instance('doubt-confirmed')).spec).toMatchObject({ host, epoch: 1 });
    expect(await story.kubectl(['get', 'events', '--namespace=default'])).toMatch(/ConfirmationRefused .*host-/);
    await ha.hadOneOwner('doubt-confirmed', [host], 1);
    await story.kubectl(['delete', 'vm', 'doubt-confirmed', '--wait=false']);
  });

  it('keeps its disk while the BMC lies that the host is off, and goes to the new owner once the host can be reached', async () => {
    const from = await ha.counting('doubt-lie');
    story.lab.letBmcLie(from);
    await story.lab.cut(from);
    // What the BMC says is the proof: Drover has to believe it. The lock of the disk is what is left.
    const { status } = await story.vmWhen('doubt-lie', 'to be refused its disk', (vm) =>
      Boolean(vm.status?.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'DiskLocked')),
    );
    const to = status?.host ?? '';
    expect(to).not.toBe(from);
    expect(await ha.copiesOf('doubt-lie')).toEqual([{ host: from, domain: 'default_doubt-lie' }]);
    await ha.hadOneOwner('doubt-lie', [from], 1);
    await story.lab.heal(from);
    const contradicted = await stateWhen(from, 'ProofContradicted');
    expect(contradicted?.message).toContain('BMC');
    // Its agent ends what is no longer its own; the other host has the disk then.
    const moved = await ha.movedFrom('doubt-lie', from);
    expect(moved.status?.lastFailover).toMatchObject({ from, to, proof: 'BMC' });
    story.lab.letBmcTellTheTruth(from);
    await fencingIs(from, 'BMCAnswers');
    await ha.hadOneOwner('doubt-lie', [from, to], 2);
    await story.lab.killHost(from);
    await ha.hostWhen(from, { state: 'Fenced' });
    await story.lab.powerOn(from);
    await stateWhen(from, 'Alive');
    await ha.hadOneOwner('doubt-lie', [from, to], 2);
    await story.kubectl(['delete', 'vm', 'doubt-lie', '--wait=false']);
  });
});

describe('a VM of a host whose BMC reads that it is off all the time, as that of another machine does', () => {
  it('runs nowhere else when the host is cut off, since that was noticed before', async () => {
    const host = await ha.counting('doubt-other');
    story.lab.letBmcLie(host);
    const { message } = await fencingIs(host, 'PowerStateContradicted');
    expect(message).toContain('it is the BMC of another machine, or lies');
    await story.lab.cut(host);
    expect((await stateWhen(host, 'NoProof'))?.message).toContain('it is not believed');
    // Longer than a failover takes.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect((await story.instance('doubt-other')).spec).toMatchObject({ host, epoch: 1 });
    await story.lab.heal(host);
    await stateWhen(host, 'Alive');
    story.lab.letBmcTellTheTruth(host);
    await fencingIs(host, 'BMCAnswers');
    await ha.hadOneOwner('doubt-other', [host], 1);
    await story.kubectl(['delete', 'vm', 'doubt-other', '--wait=false']);
  });
});

describe('a VM of a host that reboots within seconds', () => {
  it('is started again by the host itself, and nobody fences it', async () => {
    const host = await ha.counting('doubt-reboot');
    const before = (await stateWhen(host, 'Alive'))?.bootID;
    await story.lab.killHost(host);
    await story.lab.powerOn(host);
    await story.when(Host, { name: host }, 'to be alive in its next boot', ({ status }) => {
      const { reason, bootID } = status?.availability ?? {};
      return reason === 'Alive' && bootID !== before;
    });
    const { status } = await story.running('doubt-reboot');
    expect(status).toMatchObject({ host, epoch: 1 });
    await ha.hadOneOwner('doubt-reboot', [host], 2);
    await story.kubectl(['delete', 'vm', 'doubt-reboot', '--wait=false']);
  });
});

describe('a VM whose policy wants nobody else to run it', () => {
  /** Runs a VM, takes the power of its host, and gives it back after longer than a failover takes. */
  const afterItsHostFailed = async (name: string, action: 'RestoreOnOriginalHost' | 'None') => {
    await ha.patchPolicy({ hostFault: { action } });
    const host = await ha.counting(name);
    await story.lab.killHost(host);
    await ha.hostWhen(host, { state: 'Fenced' });
    await story.vmWhen(name, 'not to be known', ({ status }) => status?.phase === 'Unknown');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect((await story.instance(name)).spec).toMatchObject({ host, epoch: 1 });
    await story.lab.powerOn(host);
    await stateWhen(host, 'Alive');
    return host;
  };

  it('is started on its host when that is back (RestoreOnOriginalHost)', async () => {
    const host = await afterItsHostFailed('doubt-restore', 'RestoreOnOriginalHost');
    await story.running('doubt-restore');
    await ha.hadOneOwner('doubt-restore', [host], 2);
    await story.kubectl(['delete', 'vm', 'doubt-restore', '--wait=false']);
  });

  it('stays off until somebody restarts it, also when its host is back (None)', async () => {
    const host = await afterItsHostFailed('doubt-none', 'None');
    const { status } = await story.vmWhen('doubt-none', 'to stay off', (vm) => vm.status?.phase === 'Halted');
    expect(status?.conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'HostFailed',
      message: expect.stringContaining('kubectl annotate vm -n default doubt-none --overwrite drover.dev/restartedAt'),
    });
    expect(await ha.copiesOf('doubt-none')).toEqual([]);
    await story.kubectl(['annotate', 'vm', 'doubt-none', `drover.dev/restartedAt=${Date.now()}`]);
    await story.running('doubt-none');
    await ha.hadOneOwner('doubt-none', [host], 2);
    await story.kubectl(['delete', 'vm', 'doubt-none', '--wait=false']);
  });
});
