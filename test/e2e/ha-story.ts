import { expect } from 'vitest';
import { Host } from '../../src/api/host.ts';
import type { HostAvailability } from '../../src/api/host-availability.ts';
import type { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { LeaseKeepers } from './lease-keepers.ts';
import { type DomainOnHost, guestVM, Story } from './story.ts';

export interface HaStoryOptions {
  /** Spec of the HAPolicy. */
  readonly policy: object;
  /** Whether each host has a lease keeper and a watchdog. */
  readonly keepers?: boolean;
}

/** A story of the lab's Cluster with high availability, by a policy of its own. */
export class HaStory {
  readonly story: Story;
  readonly keepers: LeaseKeepers;
  readonly #policy: string;

  private constructor(story: Story, policy: string) {
    this.story = story;
    this.keepers = new LeaseKeepers(story);
    this.#policy = policy;
  }

  /** @param name of the HAPolicy */
  static async open(name: string, { policy, keepers = false }: HaStoryOptions): Promise<HaStory> {
    const ha = new HaStory(await Story.open(), name);
    const { story } = ha;
    await story.hostsReady();
    await story.apply({ apiVersion: 'drover.dev/v1alpha1', kind: 'HAPolicy', metadata: { name }, spec: policy });
    await ha.patch('cluster', 'lab', { ha: { enabled: true, policyName: name } });
    if (keepers) await Promise.all(story.lab.hosts.map((host) => ha.keepers.guard(host)));
    return ha;
  }

  /** Leaves the lab without high availability, and with three hosts that are ready. */
  async close(): Promise<void> {
    const { story } = this;
    await this.keepers.end();
    await this.patch('cluster', 'lab', { ha: { enabled: false, policyName: null } });
    await story.kubectl(['delete', 'hapolicy', this.#policy, '--ignore-not-found']);
    await story.hostsReady();
    await story.cleanUp();
    await story.close();
  }

  async patch(kind: string, name: string, spec: object): Promise<void> {
    await this.story.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })]);
  }

  async patchPolicy(spec: object): Promise<void> {
    await this.patch('hapolicy', this.#policy, spec);
  }

  /** Boots a guest and waits until it counts. @returns its host */
  async counting(name: string, spec: object = {}): Promise<string> {
    await this.story.apply(guestVM(name, spec));
    const { status } = await this.story.running(name);
    await this.story.says(status?.host ?? '', name, /counter=/);
    return status?.host ?? '';
  }

  async movedFrom(name: string, host: string): Promise<VirtualMachine> {
    return await this.story.vmWhen(name, `to run elsewhere than on ${host}`, ({ status }) => {
      return status?.phase === 'Running' && status.host !== host && status.lastFailover?.runningAt !== undefined;
    });
  }

  /**
   * That one copy of the guest runs, that it went on from what it had written last, and that nobody else wrote to its disk meanwhile.
   * @param hosts on which it ran, the one that it runs on last
   */
  async hadOneOwner(name: string, hosts: readonly string[], boots: number): Promise<void> {
    const { verdict } = await this.story.booted(name, hosts, boots);
    expect(verdict).toEqual({ ok: true });
    expect(await this.copiesOf(name)).toEqual([{ host: hosts.at(-1), domain: `default_${name}` }]);
  }

  async copiesOf(name: string): Promise<DomainOnHost[]> {
    return (await this.story.domains()).filter(({ domain }) => domain === `default_${name}`);
  }

  /** A host as soon as it stands so. */
  async hostWhen(host: string, what: Partial<Pick<HostAvailability, 'state' | 'reason'>>): Promise<Host> {
    return await this.story.when(Host, { name: host }, `to be ${what.reason ?? what.state}`, ({ status }) => {
      const { state, reason } = status?.availability ?? {};
      return (what.state ?? state) === state && (what.reason ?? reason) === reason;
    });
  }
}

/** Where a VM may run. */
export function onHosts(...names: string[]) {
  const runs = { key: 'kubernetes.io/hostname', operator: 'In', values: names };
  return { hostSelector: { matchExpressions: [runs] } };
}
