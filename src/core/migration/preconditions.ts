import type { Cluster, LiveMigrationSpec } from '../../api/cluster.ts';
import type { Host } from '../../api/host.ts';
import type { MigrationFailure } from '../../api/migration.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { readiness } from '../model/read-host.ts';
import { explainPlacement, summarizeRefusal } from '../placement/explain.ts';
import { type HostVerdict, place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import type { VirtualMachineInput } from '../virtual-machine/next-step.ts';
import { whileMovedTogether } from './together.ts';

/** What is asked for. */
export interface MigrationWish {
  readonly virtualMachineName: string;
  /** Absent: any host but the one that it is on. */
  readonly targetHost: string | undefined;
  /** uid of the Migration. Absent: there is none yet. */
  readonly uid: string | undefined;
  /** It is moved for no other reason than to empty its host. */
  readonly isEvacuation: boolean;
}

/** Everything that says whether a VM can be moved now. */
export interface MigrationSituation {
  readonly wish: MigrationWish;
  /** The VM with its Cluster, as its own controller sees it. */
  readonly virtualMachine: VirtualMachineInput;
  /** The Cluster's own object. */
  readonly cluster: Cluster | undefined;
  /** VMs (`namespace/name`) that are moved as one with it, by the same plan. Undefined: it is moved alone. */
  readonly together: ReadonlySet<string> | undefined;
  /** Name of the Migration that moves its RuleGroup, if it is none of that one. */
  readonly groupMigration: string | undefined;
  /** Finds a Host by name. */
  readonly findHost: (name: string) => Host | undefined;
}

/** A migration that may begin. */
export interface MigrationPlan {
  readonly instance: VirtualMachineInstance;
  readonly sourceHost: string;
  readonly target: Host;
  readonly settings: LiveMigrationSpec;
  /** Why this target, one line per host. */
  readonly explanation: string;
}

export type MigrationVerdict =
  | ({ readonly ok: true } & MigrationPlan)
  | { readonly ok: false; readonly failures: readonly MigrationFailure[] };

/** Asks everything that must hold before a VM is moved, and names all that does not. */
export function planMigration(situation: MigrationSituation): MigrationVerdict {
  const { wish, virtualMachine, cluster } = situation;
  const { vm, instance } = virtualMachine;
  const name = wish.virtualMachineName;
  if (vm === undefined) {
    return refused([failure('VirtualMachineNotFound', `there is no VirtualMachine "${name}" in this namespace`)]);
  }
  if (vm.metadata.deletionTimestamp !== undefined) {
    return refused([failure('VirtualMachineTerminating', `VirtualMachine "${name}" is being deleted`)]);
  }
  if (instance === undefined || cluster === undefined) return refused(notRunning(situation));
  const source = situation.findHost(instance.spec.host);
  const failures = obstaclesToLeaving(situation, instance);
  const request = { ...migrationRequest(virtualMachine, instance), isEvacuation: wish.isEvacuation };
  const target = chooseTarget(situation, request, source);
  if (!target.ok) return refused([...failures, ...target.failures]);
  const all = [...failures, ...withoutCertificate(situation, target.host), ...withoutAddress(target.host)];
  if (all.length > 0) return refused(all);
  return {
    ok: true,
    instance,
    sourceHost: instance.spec.host,
    target: target.host,
    settings: cluster.spec.migration,
    explanation: target.explanation,
  };
}

/** What keeps a VM from leaving its host, wherever it is to go. */
export function obstaclesToLeaving(
  situation: MigrationSituation,
  instance: VirtualMachineInstance,
): readonly MigrationFailure[] {
  const source = situation.findHost(instance.spec.host);
  return [
    ...notRunning(situation),
    ...sourceNotReady(instance, source),
    ...withoutCertificate(situation, source),
    ...busy(situation, instance),
  ];
}

function notRunning({ virtualMachine: { vm, instance } }: MigrationSituation): MigrationFailure[] {
  const { phase, observedEpoch } = instance?.status ?? {};
  const { powerState, epoch } = instance?.spec ?? {};
  if (powerState === 'Running' && phase === 'Running' && observedEpoch === epoch) return [];
  const state = instance === undefined ? (vm?.spec.runStrategy === 'Halted' ? 'Halted' : 'not placed') : phase;
  const message = `the VM is ${state ?? 'not running yet'}; only a running VM is moved live, one that is off is placed anew when it starts`;
  return [failure('NotRunning', message)];
}

function sourceNotReady({ spec }: VirtualMachineInstance, source: Host | undefined): MigrationFailure[] {
  const ready = source === undefined ? undefined : readiness(source);
  if (ready?.ok) return [];
  const why = ready === undefined ? 'its Host object is gone' : ready.message;
  return [failure('SourceNotReady', `host ${spec.host}, where the VM is, cannot send it: ${why}`)];
}

function withoutAddress({ metadata, status }: Host): MigrationFailure[] {
  if (status?.address !== undefined) return [];
  return [failure('HostNotReady', `host ${metadata.name} has not told yet by which address it is reached`)];
}

/** Over TLS hosts prove who they are. One whose agent says nothing of it is from before, and is tried. */
export function withoutCertificate(
  { cluster }: Pick<MigrationSituation, 'cluster'>,
  host: Host | undefined,
): MigrationFailure[] {
  if (cluster?.spec.migration.transport !== 'TLS') return [];
  const ready = host?.status?.conditions.find(({ type }) => type === 'MigrationReady');
  if (host === undefined || ready === undefined || ready.status === 'True') return [];
  return [failure(ready.reason, `host ${host.metadata.name} cannot prove to others who it is: ${ready.message}`)];
}

function busy({ wish, groupMigration }: MigrationSituation, { spec }: VirtualMachineInstance): MigrationFailure[] {
  const other = spec.migration;
  if (groupMigration !== undefined) {
    const message = `Migration "${groupMigration}" is moving a RuleGroup of the VM; wait for it, or delete it to cancel it`;
    return [failure('GroupMigrating', message)];
  }
  if (other === undefined || other.uid === wish.uid) return [];
  return [
    failure(
      'MigrationInProgress',
      `Migration "${other.name}" is moving the VM to ${other.targetHost}; wait for it, or delete it to cancel it`,
    ),
  ];
}

/** What a running VM asks of another host. What it runs with counts, not what its spec has come to say since. */
export function migrationRequest(
  { vm, references, volumeHosts }: VirtualMachineInput,
  { metadata, spec, status }: VirtualMachineInstance,
): PlacementRequest {
  const { sockets, coresPerSocket, threads } = spec.cpu;
  const datastores = spec.disks.flatMap(
    ({ volumeName }) => references.volumes.get(volumeName)?.spec.datastoreName ?? [],
  );
  return {
    virtualMachine: `${metadata.namespace}/${metadata.name}`,
    vcpus: sockets * coresPerSocket * threads,
    reserved: spec.reserved,
    hostSelector: vm?.spec.hostSelector,
    // The spec may say by now what it gets at its next power cycle.
    cpuModel: status?.cpu?.model,
    cpuFeatures: status?.cpu?.features,
    hostDevices: [],
    datastores: [...new Set(datastores)].toSorted(),
    switches: [...new Set(spec.nics.map(({ virtualSwitchName }) => virtualSwitchName))].toSorted(),
    diskHosts: spec.disks.flatMap(({ volumeName }) => {
      const host = volumeHosts.get(volumeName);
      return host === undefined ? [] : [{ volumeName, host }];
    }),
    onlyHost: undefined,
    leaves: spec.host,
    recentHosts: new Set(),
    failedHosts: new Map(),
    restartPriority: vm?.spec.ha.enabled ? vm.spec.ha.restartPriority : undefined,
    isEvacuation: false,
  };
}

type Target =
  | { readonly ok: true; readonly host: Host; readonly explanation: string }
  | { readonly ok: false; readonly failures: readonly MigrationFailure[] };

function chooseTarget(
  { wish, virtualMachine, together, findHost }: MigrationSituation,
  request: PlacementRequest,
  source: Host | undefined,
): Target {
  const { targetHost } = wish;
  const { cluster } = virtualMachine;
  // VMs that are moved as one have been asked for as one: in between, some of them are here and some there.
  const admission = together === undefined ? virtualMachine.admission : undefined;
  const inventory =
    together === undefined ? virtualMachine.inventory : whileMovedTogether(virtualMachine.inventory, together);
  if (targetHost === undefined) {
    const movable = {
      ...inventory,
      hosts: inventory.hosts.filter(({ name }) => sameVirtualization(source, findHost(name))),
    };
    const placement = place(request, movable, admission);
    const host = placement.ok ? findHost(placement.host) : undefined;
    if (host !== undefined) return { ok: true, host, explanation: explainPlacement(placement) };
    const lines = explainPlacement(placement);
    return refusedTarget([
      failure('NoHostFits', `${summarizeRefusal(placement)}${lines === '' ? '' : `\n${lines}`}`.slice(0, 1024)),
    ]);
  }
  const host = findHost(targetHost);
  if (host === undefined) {
    return refusedTarget([failure('HostNotFound', `there is no Host "${targetHost}" (spec.targetHost)`)]);
  }
  const only = { ...inventory, hosts: inventory.hosts.filter(({ name }) => name === targetHost) };
  const placement = place(request, only, admission);
  const [verdict] = placement.verdicts;
  if (verdict === undefined) {
    const where = cluster.ok ? `Cluster "${cluster.cluster}"` : 'the Cluster';
    return refusedTarget([failure('OtherCluster', `host ${targetHost} does not belong to ${where} of the VM`)]);
  }
  const failures = [
    ...obstaclesOf(verdict),
    ...(sameVirtualization(source, host) ? [] : [otherVirtualization(source, host)]),
  ];
  return failures.length > 0 ? refusedTarget(failures) : { ok: true, host, explanation: explainPlacement(placement) };
}

export function obstaclesOf({ host, obstacles }: HostVerdict): MigrationFailure[] {
  return obstacles.map(({ reason, message }) =>
    failure(reason, `host ${host}: ${message}${hint(reason)}`.slice(0, 1024)),
  );
}

function hint(reason: string): string {
  return reason === 'KeepTogether' ? '; move the whole group by a Migration with spec.ruleGroupName' : '';
}

/** What QEMU emulates cannot go on under KVM, nor the other way round. */
export function sameVirtualization(source: Host | undefined, target: Host | undefined): boolean {
  return source?.status?.virtualization === target?.status?.virtualization;
}

export function otherVirtualization(source: Host | undefined, target: Host): MigrationFailure {
  return failure(
    'VirtualizationDiffers',
    `host ${target.metadata.name} runs guests with ${target.status?.virtualization ?? 'nothing yet'}, and the VM runs with ${source?.status?.virtualization ?? 'something unknown'}`,
  );
}

function failure(reason: string, message: string): MigrationFailure {
  return { reason, message };
}

function refused(failures: readonly MigrationFailure[]): MigrationVerdict {
  return { ok: false, failures };
}

function refusedTarget(failures: readonly MigrationFailure[]): Target {
  return { ok: false, failures };
}
