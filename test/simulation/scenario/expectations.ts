import * as z from 'zod';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { domainName } from '../../../src/domain/index.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
import { DomainState } from '../../../src/libvirt/index.ts';
import { isJson } from '../api/field-set.ts';
import type { World } from '../world/world.ts';

/** How a VM is to be in the end: `Running`, `Running on host-2`, or another phase of its status. */
const VirtualMachineWord = z.string().regex(/^[A-Z][A-Za-z]+( on [a-z0-9-]+)?$/);

/** What is to be in the end. */
export const Expectations = z.strictObject({
  /**
   * By name. Absent: every VM that is to run runs, and every other one is off; but not one whose name a domain has of a VM that is no more: only an
   * administrator can say what becomes of that.
   */
  vms: z.record(z.string(), VirtualMachineWord).optional(),
});
export type Expectations = z.output<typeof Expectations>;

/** Everything that is not as expected, in words; nothing: all is. */
export function unmet(world: World, { vms }: Expectations): string[] {
  const words = vms ?? Object.fromEntries(named(world).map((vm) => [vm.metadata.name, wanted(vm.spec)]));
  return Object.entries(words).flatMap(([name, word]) => {
    const why = unlike(world, name, word);
    return why === undefined ? [] : [`VM ${name} shall be ${word}, but ${why}`];
  });
}

/** VMs whose names are their own. */
function named({ server, hosts }: World): KubeObject[] {
  const all = server.list(VirtualMachine);
  const uids = new Set(all.map(({ metadata }) => metadata.uid));
  const left = hosts.flatMap(({ domains }) =>
    domains.filter(({ virtualMachineUID: uid }) => uid !== undefined && !uids.has(uid)).map(({ name }) => name),
  );
  return all.filter(({ metadata: { namespace = '', name } }) => !left.includes(domainName({ namespace, name })));
}

function wanted(spec: unknown): string {
  return isJson(spec) && spec['runStrategy'] === 'Halted' ? 'Halted' : 'Running';
}

function unlike(world: World, name: string, word: string): string | undefined {
  const [phase = '', where] = word.split(' on ');
  const vm = world.server.find(VirtualMachine, { namespace: 'default', name });
  if (vm === undefined) return phase === 'Gone' ? undefined : 'there is none';
  const told = isJson(vm.status) ? vm.status['phase'] : undefined;
  if (told !== phase) return `its phase is ${String(told)}`;
  const found = world.domainOf(name);
  const runs = found !== undefined && found.domain.state === DomainState.RUNNING && found.host.isExecuting;
  if (phase === 'Running' && !runs) return 'no domain of it runs';
  if (phase === 'Halted' && found !== undefined) return `it has a domain on ${found.host.name}`;
  if (where !== undefined && found?.host.name !== where) return `it is on ${found?.host.name ?? 'no host'}`;
  return undefined;
}
