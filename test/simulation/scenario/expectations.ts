import * as z from 'zod';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { DomainState } from '../../../src/libvirt/index.ts';
import { isJson } from '../api/field-set.ts';
import type { World } from '../world/world.ts';

/** How a VM is to be in the end: `Running`, `Running on host-2`, or another phase of its status. */
const VirtualMachineWord = z.string().regex(/^[A-Z][A-Za-z]+( on [a-z0-9-]+)?$/);

/** What is to be in the end. */
export const Expectations = z.strictObject({
  /** By name. Absent: every VM that is to run runs, and every other one is off. */
  vms: z.record(z.string(), VirtualMachineWord).optional(),
});
export type Expectations = z.output<typeof Expectations>;

/** Everything that is not as expected, in words; nothing: all is. */
export function unmet(world: World, { vms }: Expectations): string[] {
  const words =
    vms ?? Object.fromEntries(world.server.list(VirtualMachine).map((vm) => [vm.metadata.name, wanted(vm.spec)]));
  return Object.entries(words).flatMap(([name, word]) => {
    const why = unlike(world, name, word);
    return why === undefined ? [] : [`VM ${name} shall be ${word}, but ${why}`];
  });
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
