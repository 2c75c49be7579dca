import type { Host } from '../../api/host.ts';
import type { VirtualMachine, VirtualMachineDependency } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { endOfWait } from '../model/clock.ts';
import { isSilent } from '../model/read-host.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';

/** A VM that others depend on, as far as it is known. */
export interface Dependency {
  /** Absent: there is none of that name. */
  readonly vm: VirtualMachine | undefined;
  /** Absent: it is on no host. */
  readonly instance: VirtualMachineInstance | undefined;
  /** The instance's host. Absent: its object is gone. */
  readonly host: Host | undefined;
}

/** Finds a VM of the same namespace by name. */
export type FindDependency = (name: string) => Dependency;

/** Whether a VM may be restarted as far as one that it depends on goes. */
export type DependencyVerdict =
  | { readonly verdict: 'Ready' }
  | { readonly verdict: 'NotReady'; readonly why: string }
  /** Nothing that could be waited for will happen. */
  | { readonly verdict: 'NotWaitedFor'; readonly why: string };

/** Source of the two conditions: vSphere HA, "powered on" and "guest heartbeats detected". */
export function judgeDependency(
  { readyWhen }: Pick<VirtualMachineDependency, 'readyWhen'>,
  { vm, instance, host }: Dependency,
): DependencyVerdict {
  if (vm === undefined || vm.metadata.deletionTimestamp !== undefined) return notWaitedFor('does not exist');
  if (vm.spec.runStrategy === 'Halted') return notWaitedFor('is halted');
  if (instance === undefined || instance.spec.virtualMachineUID !== vm.metadata.uid)
    return notReady('is on no host yet');
  const { spec, status } = instance;
  const isCurrent = status?.observedEpoch === spec.epoch && status.host === spec.host;
  if (isCurrent && status.phase === 'Off' && status.reason === 'GuestShutdown')
    return notWaitedFor('has shut itself down');
  if (host === undefined || isSilent(host)) {
    return vm.spec.ha.enabled
      ? notReady(`was on host ${spec.host}, which does not answer`)
      : notWaitedFor(
          `was on host ${spec.host}, which does not answer, and is not run elsewhere (spec.ha.enabled false)`,
        );
  }
  const isRunning =
    isCurrent && status.bootID === host.status?.bootID && (status.phase === 'Running' || status.phase === 'Paused');
  if (!isRunning) return notReady(`does not run yet on host ${spec.host}`);
  if (readyWhen === 'GuestToolsConnected' && !status.guestTools?.connected)
    return notReady(`runs on host ${spec.host}, and its guest tools have not connected`);
  return { verdict: 'Ready' };
}

function notReady(why: string): DependencyVerdict {
  return { verdict: 'NotReady', why };
}

function notWaitedFor(why: string): DependencyVerdict {
  return { verdict: 'NotWaitedFor', why };
}

/**
 * The way from a VM over those that it depends on back to itself, by name: the shortest one, of equal ones the first by the order in which they
 * stand. Undefined: there is none.
 */
export function dependencyCycle(vm: VirtualMachine, find: FindDependency): readonly string[] | undefined {
  const { name: start } = vm.metadata;
  const cameFrom = new Map<string, string>();
  let layer = [start];
  while (layer.length > 0) {
    const next: string[] = [];
    for (const name of layer) {
      const dependsOn = (name === start ? vm : find(name).vm)?.spec.ha.dependsOn ?? [];
      for (const { name: to } of dependsOn) {
        if (to === start) return pathBack(start, name, cameFrom);
        if (cameFrom.has(to)) continue;
        cameFrom.set(to, name);
        next.push(to);
      }
    }
    layer = next;
  }
  return undefined;
}

function pathBack(start: string, last: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [start];
  for (let name: string | undefined = last; name !== undefined && name !== start; name = cameFrom.get(name))
    path.unshift(name);
  return [start, ...path];
}

/** The dependencies of a VM that count: those which lead back to it would wait for each other for ever. */
export function dependenciesInEffect(vm: VirtualMachine, find: FindDependency): readonly VirtualMachineDependency[] {
  const { dependsOn } = vm.spec.ha;
  if (dependsOn.length === 0 || dependencyCycle(vm, find) === undefined) return dependsOn;
  return dependsOn.filter(({ name }) => !reaches(name, vm.metadata.name, find));
}

function reaches(from: string, to: string, find: FindDependency): boolean {
  const seen = new Set([from]);
  for (const name of seen) {
    if (name === to) return true;
    for (const { name: next } of find(name).vm?.spec.ha.dependsOn ?? []) seen.add(next);
  }
  return false;
}

/** A VM that another one waits for. */
export interface Awaited {
  readonly name: string;
  readonly why: string;
  /** When it is waited for no longer (Unix time). */
  readonly untilMs: number;
}

/**
 * What a VM waits for before it is run elsewhere.
 * @param sinceMs from when on it could be (Unix time): the wait for each has its bound, counted from then
 */
export function awaitedBy(
  vm: VirtualMachine,
  find: FindDependency,
  sinceMs: number,
  nowMs: number,
): readonly Awaited[] {
  return dependenciesInEffect(vm, find).flatMap((dependency) => {
    const { name, timeoutSeconds } = dependency;
    const verdict = judgeDependency(dependency, find(name));
    const untilMs = endOfWait(sinceMs, timeoutSeconds * 1000, nowMs);
    return verdict.verdict === 'NotReady' && nowMs < untilMs ? [{ name, why: verdict.why, untilMs }] : [];
  });
}

/** The same in words. */
export function awaitedInWords(awaited: readonly Awaited[]): string {
  return awaited
    .map(({ name, why, untilMs }) => `VM "${name}" ${why}; it is waited for until ${new Date(untilMs).toISOString()}`)
    .join('; ');
}

/** What is to be said of the VMs that a VM depends on. Undefined: it depends on none. */
export function dependenciesVerdict(vm: VirtualMachine, find: FindDependency): Verdict | undefined {
  const { dependsOn } = vm.spec.ha;
  if (dependsOn.length === 0) return undefined;
  const cycle = dependencyCycle(vm, find);
  if (cycle !== undefined) {
    const message = `VMs depend on each other in a circle (${cycle.join(' → ')}): none of them is waited for, and they are run elsewhere by priority alone. Take one of them out of spec.ha.dependsOn`;
    return no('DependencyCycle', message);
  }
  const said = dependsOn.map((dependency) => ({
    name: dependency.name,
    ...judgeDependency(dependency, find(dependency.name)),
  }));
  const waits = said.flatMap((each) => (each.verdict === 'NotReady' ? [`VM "${each.name}" ${each.why}`] : []));
  if (waits.length > 0) return no('DependencyNotReady', waits.join('; '));
  const absent = said.flatMap((each) =>
    each.verdict === 'NotWaitedFor' ? [`VM "${each.name}" ${each.why}, and is not waited for`] : [],
  );
  return absent.length > 0 ? no('NotWaitedFor', absent.join('; ')) : YES;
}
