import { RESTARTED_AT_ANNOTATION } from '../../api/common/names.ts';
import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { FailedStart, GaveUp } from '../../api/recovery.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance, VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { hasLostDatastore } from '../../core/ha/datastore-fault.ts';
import { awaitedBy, awaitedInWords, dependenciesInEffect } from '../../core/ha/dependencies.ts';
import { vmFaultOf } from '../../core/ha/guest-fault.ts';
import { placeLost } from '../../core/ha/place-lost.ts';
import { type Proof, proofFor, shouldRun } from '../../core/ha/proof.ts';
import {
  failedHosts,
  hasRun,
  isOfFailover,
  isTakenBack,
  judgeRetrial,
  judgeStart,
  nextAttemptAtMs,
  triedWith,
} from '../../core/ha/recovery.ts';
import type { LostVirtualMachine } from '../../core/ha/restart-plan.ts';
import { isSilent } from '../../core/model/read-host.ts';
import type { Placement } from '../../core/placement/place.ts';
import type { PlacementRequest } from '../../core/placement/request.ts';
import { isConfirmedOff, isOrphan, type VirtualMachineInput, wishOf } from '../../core/virtual-machine/next-step.ts';
import type { ResolvedDevices } from '../../core/virtual-machine/resolve.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_HOST, RECOVERING } from '../informers.ts';
import { gather } from '../virtual-machine/gather.ts';
import { dependenciesIn } from './dependencies.ts';

type Failover = NonNullable<VirtualMachineInstanceSpec['failover']>;

/** A VM of which nothing runs any more, with all that its new placement needs. */
export interface Lost extends LostVirtualMachine {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  readonly devices: ResolvedDevices;
  readonly vmFault: VirtualMachineInstanceSpec['vmFault'];
  /** What its next placement says of how it came about. */
  readonly cause: Omit<Failover, 'decidedAt' | 'epoch' | 'gaveUp'>;
  /** Why it leaves its host, in words. */
  readonly why: string;
  /** The power of its host is to be read as off once more before it is given another one. */
  readonly needsReading?: true;
}

/** A placement that has come to nothing. */
export interface Failed {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  /** All attempts of its recovery, this one among them. */
  readonly tried: readonly FailedStart[];
}

/** Everything that is to be done about VMs of hosts that have died. */
export interface Recoveries {
  /** To be given a host. */
  readonly lost: readonly Lost[];
  /** To be taken back from the host that failed to start them. */
  readonly failed: readonly Failed[];
  /** Of these every attempt has failed: what is written down about it. */
  readonly givenUp: readonly (Failed & { readonly record: GaveUp })[];
  /** How many were taken back from their hosts, and wait: for a word of that host, for their turn, or for new capacity. */
  readonly takenBack: number;
  /** When the next of them is due, in Unix time. Absent: there is none under way. */
  readonly dueMs: number | undefined;
}

interface Scope {
  readonly cluster: ObjectKey;
  readonly policy: HAPolicySpec;
  /** Whether VMs of dead hosts are restarted. What was begun is brought to its end in any case. */
  readonly restarts: boolean;
  readonly now: Date;
  readonly deps: ControllerDependencies;
}

/** Looks at every VM of a Cluster whose host has died, or whose recovery is under way. */
export function recoveriesIn(scope: Scope): Recoveries {
  const { deps, cluster, restarts } = scope;
  const { informers, inventories } = deps;
  const found: Found = { lost: [], failed: [], givenUp: [], takenBack: 0, dueMs: undefined };
  const underWay = informers.instances.byIndex(RECOVERING, '').flatMap((instance) => {
    const input = gather(keyOf(instance), deps);
    return input.cluster.ok && input.cluster.cluster === cluster ? [{ instance, input }] : [];
  });
  for (const each of underWay) underWayAgain(each.instance, each.input, scope, found);
  for (const host of informers.hosts.list()) {
    const isAway = (restarts && isSilent(host)) || hasLostDatastore(host);
    if (!isAway || inventories.clusterOf(host.metadata.name) !== cluster) continue;
    for (const instance of informers.instances.byIndex(BY_HOST, host.metadata.name))
      offHost(instance, host, scope, found);
  }
  return found;
}

interface Found {
  readonly lost: Lost[];
  readonly failed: Failed[];
  readonly givenUp: (Failed & { readonly record: GaveUp })[];
  takenBack: number;
  dueMs: number | undefined;
}

/** A VM of which nothing runs on its host any more: that is proven to be off, or has lost a datastore and has stopped it for that. */
function offHost(instance: VirtualMachineInstance, host: Host, scope: Scope, found: Found): void {
  const { deps, policy, now, restarts } = scope;
  const proof = proofFor(instance, host);
  const input = gather(keyOf(instance), deps);
  if (proof === undefined || isDecided(instance, deps) || !shouldRun(input.vm, instance)) return;
  const hasConfirmed = proof.method === 'HostConfirmed';
  // Where the datastore is back, it goes on where it was.
  if (hasConfirmed ? input.datastoreFault?.moveAtMs === undefined : !restarts) return;
  const { vm } = input;
  const { datastoreFault } = instance.spec;
  const isAttempt = isOfFailover(instance.spec) && !hasRun(instance, vm);
  const died = hasConfirmed
    ? {
        reason: 'DatastoreLost',
        message: `host ${host.metadata.name} lost Datastore ${datastoreFault?.datastoreName} before the VM ran on it`,
      }
    : { reason: 'HostDied', message: `host ${host.metadata.name} died before the VM ran on it` };
  const tried = isAttempt ? triedWith(instance, died, now.toISOString()) : [];
  if (tried.length >= policy.restart.maxAttempts) {
    found.failed.push({ vm, instance, tried });
    return;
  }
  const fromHost = host.metadata.name;
  const why = hasConfirmed
    ? `host ${fromHost} has lost Datastore ${datastoreFault?.datastoreName}, and has confirmed that it has stopped the VM`
    : proof.bootID === undefined
      ? `host ${fromHost} is dead, and had never begun to start it`
      : `nothing of it runs on host ${fromHost} any more: ${proof.method} proved that boot ${proof.bootID} is over`;
  addLost(
    {
      vm,
      instance,
      input,
      cause: { ...causeOf(proof, fromHost), ...(tried.length > 0 && { tried }) },
      why,
      ...readingOf(proof),
    },
    scope,
    found,
  );
}

function causeOf({ method, bootID, detectedAt, fencedAt }: Proof, fromHost: string): Lost['cause'] {
  return {
    fromHost,
    ...(bootID !== undefined && { bootID }),
    proof: method,
    detectedAt,
    ...(fencedAt !== undefined && { fencedAt }),
  };
}

function readingOf(proof: Proof | undefined): Pick<Lost, 'needsReading'> {
  return proof?.needsReading ? { needsReading: true } : {};
}

/** A VM that was given a host, and does not run there. */
function underWayAgain(instance: VirtualMachineInstance, input: VirtualMachineInput, scope: Scope, found: Found): void {
  const { vm } = input;
  if (vm === undefined || isOrphan(vm, instance) || instance.metadata.deletionTimestamp !== undefined) return;
  if (vm.spec.runStrategy === 'Halted' || isDecided(instance, scope.deps)) return;
  if (isTakenBack(instance.spec)) takenBack(vm, instance, input, scope, found);
  else if (scope.restarts) starting(vm, instance, scope, found);
}

/** Its host was asked to start it. */
function starting(vm: VirtualMachine, instance: VirtualMachineInstance, scope: Scope, found: Found): void {
  const { deps, policy, now } = scope;
  const host = deps.informers.hosts.get(instance.spec.host);
  const verdict = judgeStart(instance, vm, host, policy.restart, now.getTime());
  if (verdict.verdict === 'Failed') {
    found.failed.push({ vm, instance, tried: triedWith(instance, verdict, now.toISOString()) });
  } else if (verdict.verdict === 'Starting' && verdict.untilMs !== undefined) {
    found.dueMs = Math.min(found.dueMs ?? Number.POSITIVE_INFINITY, verdict.untilMs);
  }
}

/** Its host has failed to start it. It goes on when that host has confirmed that nothing of it is left, or is proven to be off. */
function takenBack(
  vm: VirtualMachine,
  instance: VirtualMachineInstance,
  input: VirtualMachineInput,
  scope: Scope,
  found: Found,
): void {
  const { policy, now, deps } = scope;
  const { spec } = instance;
  const { failover } = spec;
  if (failover === undefined) return;
  found.takenBack += 1;
  const { tried = [] } = failover;
  const proof = isConfirmedOff(instance) ? undefined : proofFor(instance, deps.informers.hosts.get(spec.host));
  const isOver = isConfirmedOff(instance) || proof !== undefined;
  const { decidedAt: _decidedAt, epoch: _epoch, gaveUp: _gaveUp, tried: _tried, ...before } = failover;
  const cause = proof === undefined ? before : causeOf(proof, spec.host);
  if (tried.length < policy.restart.maxAttempts) {
    const why = `host ${spec.host} failed to start it (attempt ${tried.length} of ${policy.restart.maxAttempts}: ${tried.at(-1)?.reason})`;
    if (isOver) addLost({ vm, instance, input, cause: { ...cause, tried }, why, ...readingOf(proof) }, scope, found);
    return;
  }
  const retrial = judgeRetrial(
    instance,
    { generation: vm.metadata.generation, restartedAt: vm.metadata.annotations[RESTARTED_AT_ANNOTATION] ?? '' },
    hostsThatFit(placeLost(vm, instance, input, new Map())),
    now.toISOString(),
  );
  if (retrial.retrial === 'GiveUp') found.givenUp.push({ vm, instance, tried, record: retrial.record });
  if (retrial.retrial !== 'Resume' || !isOver) return;
  const why = `all ${tried.length} attempts had failed, and ${retrial.why}`;
  // What is new comes first; where nothing is, all begins anew.
  const old = retrial.added.length === 0 ? [] : tried.filter(({ host }) => !retrial.added.includes(host));
  const failed = failedHosts(
    old.map((each) => ({ ...each, at: now.toISOString() })),
    now.getTime(),
  );
  addLost({ vm, instance, input, cause, why, failed, ...readingOf(proof) }, scope, found);
}

/** Those that have failed among them. */
function hostsThatFit(placement: Placement | undefined): string[] {
  return (placement?.verdicts ?? []).flatMap(({ host, obstacles }) => (obstacles.length === 0 ? [host] : []));
}

/** A VM that is to be given a host, and what it waits for before. */
interface ToRestart extends Pick<Lost, 'vm' | 'instance' | 'cause' | 'why' | 'needsReading'> {
  readonly input: VirtualMachineInput;
  /** Hosts that are not asked. Absent: those that have failed a short while ago. */
  readonly failed?: PlacementRequest['failedHosts'];
}

function addLost({ input, failed, ...each }: ToRestart, { deps, now }: Scope, found: Found): void {
  const { vm, instance, cause } = each;
  if (input.strayOn !== undefined) {
    const note = `it is not started elsewhere although nothing of it runs on host ${instance.spec.host} any more: host ${input.strayOn} runs a domain of it that no intent speaks of. Find out which copy holds the newer data, then shut the domain down there with virsh`;
    deps.events.record({ regarding: vm, type: 'Warning', reason: 'StrayDomain', action: 'FailingOver', note });
    return;
  }
  const wish = wishOf(vm, input);
  if (!wish.ok) return;
  const nowMs = now.getTime();
  const find = dependenciesIn(vm.metadata.namespace, deps.informers);
  const awaited = awaitedBy(vm, find, Date.parse(cause.fencedAt ?? cause.detectedAt), nowMs);
  const { tried = [] } = cause;
  const pausedUntilMs = nextAttemptAtMs(tried, nowMs);
  const isPausing = nowMs < pausedUntilMs;
  const dueMs = [...awaited.map(({ untilMs }) => untilMs), ...(isPausing ? [pausedUntilMs] : [])];
  if (dueMs.length > 0) found.dueMs = Math.min(found.dueMs ?? Number.POSITIVE_INFINITY, ...dueMs);
  found.lost.push({
    ...each,
    devices: wish.devices,
    vmFault: vmFaultOf(input.vmFault, instance.spec.vmFault?.actedAt),
    request: { ...wish.request, onlyHost: undefined, failedHosts: failed ?? failedHosts(tried, nowMs) },
    fromHost: instance.spec.host,
    priority: vm.spec.ha.restartPriority,
    dependsOn: dependenciesInEffect(vm, find).map(({ name }) => `${vm.metadata.namespace}/${name}`),
    held: isPausing
      ? `the next attempt is made at ${new Date(pausedUntilMs).toISOString()}`
      : awaited.length > 0
        ? awaitedInWords(awaited)
        : undefined,
  });
}

/** What was decided a moment ago, the cache does not show yet. */
function isDecided(instance: VirtualMachineInstance, { reservations }: ControllerDependencies): boolean {
  return (reservations.placementOf(keyOf(instance))?.epoch ?? 0) > instance.spec.epoch;
}
