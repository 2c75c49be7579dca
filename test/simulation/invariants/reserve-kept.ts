import { Cluster } from '../../../src/api/cluster.ts';
import { parseBytes } from '../../../src/api/common/quantity.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { isJson } from '../api/field-set.ts';
import type { Commit } from '../api/server.ts';
import type { SimulatedHost } from '../hosts/host.ts';
import type { Invariant, Seen } from './invariant.ts';

/** Memory of the VMs on each host, in bytes. */
type Placed = ReadonlyMap<string, readonly number[]>;

/**
 * A VM that is started by no failover leaves the room that one host's death would need, as long as the operators see things as they are. Counted here
 * anew and without what QEMU itself takes, so that what does not fit here fits nowhere.
 */
export const reserveKept: Invariant = {
  name: 'the reserve is kept',
  onCommit: (commit, seen) => {
    const { kind, key, before, after } = commit;
    if (kind.plural !== 'virtualmachineinstances' || before !== undefined || !isJson(after?.spec)) return undefined;
    if (seen.wereOperatorsMisled || !keepsOneHost(seen)) return undefined;
    const { host: target } = after.spec;
    const up = seen.hosts.filter(({ isExecuting }) => isExecuting);
    const now = placed(seen);
    const earlier = new Map(
      [...now].map(([host, sizes]) => [host, host === target ? withoutOne(sizes, commit, seen) : sizes]),
    );
    if (!survivesEach(up, earlier) || survivesEach(up, now)) return undefined;
    return `${key} was started on ${String(target)}, and the death of one host cannot be borne any more`;
  },
};

function keepsOneHost({ server }: Seen): boolean {
  return server.list(Cluster).some(({ spec }) => {
    const { ha } = Cluster.spec.parse(spec);
    return ha.enabled && ha.admissionControl.type === 'HostFailures';
  });
}

function placed({ server }: Seen): Placed {
  const sizes = new Map<string, number[]>();
  for (const { metadata, spec } of server.list(VirtualMachineInstance)) {
    if (!isJson(spec) || typeof spec['host'] !== 'string') continue;
    const on = sizes.get(spec['host']) ?? [];
    on.push(memoryOf(metadata.name, server));
    sizes.set(spec['host'], on);
  }
  return sizes;
}

function memoryOf(name: string, server: Seen['server']): number {
  const vm = server.find(VirtualMachine, { namespace: 'default', name });
  const memory = isJson(vm?.spec) ? vm.spec['memory'] : undefined;
  return isJson(memory) && typeof memory['size'] === 'string' ? parseBytes(memory['size']) : 0;
}

function withoutOne(sizes: readonly number[], { after }: Commit, { server }: Seen): readonly number[] {
  const index = sizes.indexOf(memoryOf(after?.metadata.name ?? '', server));
  return sizes.toSpliced(index, 1);
}

function survivesEach(hosts: readonly SimulatedHost[], on: Placed): boolean {
  return hosts.every((lost) => {
    const free = hosts
      .filter((host) => host !== lost)
      .map(({ name, memoryBytes }) => memoryBytes - (on.get(name) ?? []).reduce((sum, size) => sum + size, 0));
    return fits(
      (on.get(lost.name) ?? []).toSorted((a, b) => b - a),
      free,
    );
  });
}

/** Whether there is any way to put them all. */
function fits([first, ...others]: readonly number[], free: readonly number[]): boolean {
  if (first === undefined) return true;
  return free.some((room, index) => room >= first && fits(others, free.with(index, room - first)));
}
