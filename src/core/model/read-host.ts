import { parseBytes, parseQuantity } from '../../api/common/quantity.ts';
import type { Datastore } from '../../api/datastore.ts';
import type { Host, HostStatus } from '../../api/host.ts';
import { levelNamed } from '../imc/levels.ts';
import type { HostModel, Resources } from './host.ts';
import { no, type Verdict, YES } from './verdict.ts';

/** Finds a Datastore by name. */
export type FindDatastore = (name: string) => Datastore | undefined;

const NOTHING: ReadonlySet<string> = new Set();

/** A Host as decisions see it, with what is reserved on it. */
export function readHost(host: Host, reserved: Resources, findDatastore: FindDatastore): HostModel {
  return {
    name: host.metadata.name,
    labels: host.metadata.labels,
    ready: readiness(host),
    inMaintenance: maintenanceOf(host) !== undefined,
    threads: host.status?.capacity?.cpuCores ?? 0,
    numaCells: host.status?.numaCells ?? [],
    allocatable: allocatable(host),
    reserved,
    ...readCpu(host.status),
    hostDevices: NOTHING,
    datastores: new Set(visibleDatastores(host, findDatastore)),
    switches: new Set(host.status?.switches.flatMap(({ name, available }) => (available ? [name] : []))),
  };
}

/**
 * The CPUs that a host can give to a guest. One that gives no feature at all has not told.
 *
 * libvirt calls a model usable on CPUs of the other vendor, too, where they happen to have all of its features. With KVM the
 * guest sees the vendor of its host, and must not find another one after a migration: what KVM offers then is not taken.
 */
export function readCpu(
  status: Pick<HostStatus, 'cpu' | 'virtualization'> | undefined,
): Pick<HostModel, 'cpuModels' | 'cpuFeatures' | 'missingCpuFeatures'> {
  const { cpu, virtualization } = status ?? {};
  const isOthers = (model: string) =>
    virtualization === 'kvm' && (levelNamed(model)?.vendor ?? cpu?.vendor) !== cpu?.vendor;
  const features = cpu?.features ?? [];
  const lacking = (cpu?.unusableLevels ?? []).filter(({ missingFeatures }) => missingFeatures.length > 0);
  return {
    cpuModels: new Set(cpu?.usableModels.filter((model) => !isOthers(model))),
    cpuFeatures: features.length === 0 ? undefined : new Set(features),
    missingCpuFeatures: new Map(lacking.map(({ name, missingFeatures }) => [name, missingFeatures])),
  };
}

/** What wants the host to be empty. Undefined: nothing. */
export function maintenanceOf({ spec, status }: Host): 'Spec' | 'NodeCordoned' | undefined {
  if (spec.maintenance === 'Evacuate') return 'Spec';
  return status?.nodeCordoned && spec.evacuateWhenCordoned ? 'NodeCordoned' : undefined;
}

/** Whether high availability takes the host for silent, or for off. */
export function isSilent({ status }: Host): boolean {
  const { availability, bootID } = status ?? {};
  if (availability === undefined || availability.bootID !== bootID) return false;
  return availability.state !== 'Online' && availability.state !== 'Recovered';
}

/** Whether the host can run VMs now, as its condition `Ready` says. */
export function readiness(host: Host): Verdict {
  const { status } = host;
  if (isSilent(host)) return no('HostNotReady', `${status?.availability?.state}: ${status?.availability?.message}`);
  const ready = status?.conditions.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return YES;
  return no(
    'HostNotReady',
    ready === undefined ? 'its agent has not reported yet' : `${ready.reason}: ${ready.message}`,
  );
}

/** What VMs can have: the capacity without `spec.reserved`. */
export function allocatable({ spec, status }: Host): Resources {
  const { cpuCores = 0, memoryBytes = 0 } = status?.capacity ?? {};
  return {
    cpuCores: Math.max(0, cpuCores - parseQuantity(spec.reserved.cpu)),
    memoryBytes: Math.max(0, memoryBytes - parseBytes(spec.reserved.memory)),
  };
}

/** Datastores that the host can use: of a shared one, its directory must be the very one that the others see. */
export function visibleDatastores(host: Host, findDatastore: FindDatastore): string[] {
  return (host.status?.datastores ?? []).flatMap(({ name, available, id }) => {
    const datastore = findDatastore(name);
    if (!available || datastore === undefined) return [];
    return datastore.spec.shared && datastore.status?.id !== id ? [] : [name];
  });
}
