import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { whileIsolated } from '../../core/ha/isolation.ts';
import {
  endInStatus,
  type GuestReport,
  type GuestSilence,
  type MigrationJob,
  type ObservedDomain,
  type Obstacle,
  type PauseCause,
  type Refusal,
  type Run,
  type RunEnd,
  runWithoutRecord,
  type Situation,
  shutdownInStatus,
  stopAskedInStatus,
} from '../../core/instance/index.ts';
import { endOfOwnWait } from '../../core/model/clock.ts';
import { changedFields, domainName } from '../../domain/index.ts';
import type { HostFiles } from '../../host/index.ts';
import { DomainState, PausedReason } from '../../libvirt/index.ts';
import type { Outgoing } from '../migrations/outgoing.ts';
import type { InstancesDeps } from './deps.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';
import { loggedEnd } from './logged-end.ts';
import { type InstanceMemory, LONGEST_RETRY_MS } from './memory.ts';
import type { RunRecords } from './run-records.ts';

export interface Observer {
  readonly host: string;
  readonly bootID: string;
  readonly table: DomainTable;
  readonly records: RunRecords;
  readonly files: HostFiles;
  readonly logDirectory: string;
  readonly guestReport: (uuid: string) => GuestReport | undefined;
  readonly guestSilence: (uuid: string) => GuestSilence | undefined;
  readonly outgoing: Outgoing;
  readonly storage: InstancesDeps['storage'];
  readonly isolation: InstancesDeps['isolation'];
}

/** Gathers what decides over one VM: from memory, but for the log of a domain whose end nobody saw. */
export async function observe(
  observer: Observer,
  cached: VirtualMachineInstance,
  memory: InstanceMemory,
  now: Date,
): Promise<Situation> {
  const { host, bootID, table, records } = observer;
  const own = withOwnStatus(cached, memory);
  const stop = observer.isolation.stop();
  const instance = stop === undefined ? own : whileIsolated(own, stop);
  const uid = instance.spec.virtualMachineUID;
  const entry = ownEntry(table, instance);
  const domain = entry && observedDomain(entry, instance, observer);
  const run = runOf(records.run(uid), domain) ?? runWithoutRecord(instance, host, domain);
  const end = domain === undefined && run !== undefined ? await endOf(observer, instance, memory, run, now) : undefined;
  const obstacle = domain === undefined ? obstacleOf(table, instance) : undefined;
  const { refusal, resume } = memory;
  const job = await jobOf(observer, instance, entry);
  const lostDatastore = instance.spec.disks
    .map(({ path }) => observer.storage.lostDatastoreOf(path))
    .find((name) => name !== undefined);
  const shutdown = memory.shutdown ?? shutdownInStatus(instance, host, domain);
  return {
    nowMs: now.getTime(),
    host,
    bootID,
    instance,
    newestEpoch: records.newestEpoch(uid),
    stopAsked: memory.stopAsked || stopAskedInStatus(instance, host),
    ...(domain && { domain }),
    ...(obstacle && { obstacle }),
    ...(run && { run }),
    ...(end && { end }),
    ...(shutdown && { shutdown }),
    ...(job && { job }),
    ...(refusal && { refusal: refusalOf(refusal, now.getTime()) }),
    ...(stop !== undefined && own.spec.powerState !== 'Off' && { isIsolated: true }),
    ...(lostDatastore !== undefined && { lostDatastore }),
    ...(memory.isResetOwed && { isResetOwed: true as const }),
    ...(resume && { resumeAtMs: endOfOwnWait(resume.atMs, resume.intervalMs, now.getTime()) }),
  };
}

function refusalOf(refusal: Refusal, nowMs: number): Refusal {
  const { retryAtMs } = refusal;
  return retryAtMs === undefined
    ? refusal
    : { ...refusal, retryAtMs: endOfOwnWait(retryAtMs, LONGEST_RETRY_MS, nowMs) };
}

/** The running domain of this very VM: by name, and by the uid in its metadata. */
export function ownEntry(table: DomainTable, instance: VirtualMachineInstance): DomainEntry | undefined {
  const entry = table.byName(nameOf(instance));
  return entry?.identity?.virtualMachineUID === instance.spec.virtualMachineUID ? entry : undefined;
}

export function nameOf({ metadata }: VirtualMachineInstance): string {
  return domainName({ namespace: metadata.namespace ?? '', name: metadata.name });
}

/** The migration under way, also one that an agent before this one has started. */
async function jobOf(
  { outgoing }: Observer,
  { spec, status }: VirtualMachineInstance,
  entry: DomainEntry | undefined,
): Promise<MigrationJob | undefined> {
  const { migration, domainUUID } = spec;
  if (migration === undefined) {
    outgoing.forget(domainUUID);
    return outgoing.underWay(domainUUID);
  }
  const known = outgoing.find(domainUUID, migration.uid);
  if (known !== undefined || entry === undefined || migration.order === 'Prepare') return known;
  const told = status?.migration?.uid === migration.uid ? status.migration : undefined;
  if (told?.phase === 'Failed' || told?.phase === 'Moved') return undefined;
  const isUnderWay = await outgoing.takeOver(entry, migration, told?.startedAt);
  return isUnderWay ? outgoing.find(domainUUID, migration.uid) : undefined;
}

/** The cache may not show yet what this agent wrote last. */
function withOwnStatus(instance: VirtualMachineInstance, { written }: InstanceMemory): VirtualMachineInstance {
  return written?.uid === instance.metadata.uid ? { ...instance, status: written.status } : instance;
}

/** A domain that the record does not speak of came from elsewhere, or the record is older than the domain. */
function runOf(run: Run | undefined, domain: ObservedDomain | undefined): Run | undefined {
  return domain !== undefined && run?.startedAt !== domain.startedAt ? undefined : run;
}

async function endOf(
  { host, files, logDirectory }: Observer,
  instance: VirtualMachineInstance,
  memory: InstanceMemory,
  run: Run,
  now: Date,
): Promise<RunEnd> {
  if (memory.end?.of === run.startedAt) return memory.end.end;
  const reported = endInStatus(instance, host, run);
  const end: RunEnd = reported
    ? { began: true, at: reported.at, reason: reported.reason }
    : await loggedEnd(files, logDirectory, nameOf(instance), run, now);
  memory.end = { of: run.startedAt, end };
  return end;
}

function obstacleOf(table: DomainTable, instance: VirtualMachineInstance): Obstacle | undefined {
  const name = nameOf(instance);
  const { domainUUID } = instance.spec;
  const sameName = table.byName(name);
  if (sameName?.identity !== undefined) {
    return {
      reason: 'StrayDomain',
      message: `A domain of an earlier VirtualMachine of this name (uid ${sameName.identity.virtualMachineUID}) still runs on the host. When it is not needed any more, shut it down with: virsh destroy ${name}`,
    };
  }
  if (sameName !== undefined) {
    return {
      reason: 'DomainNameTaken',
      message: `The host has a domain ${name} that Drover did not make, and leaves it alone. Rename or undefine it with virsh, or name the VirtualMachine otherwise.`,
    };
  }
  const sameUuid = table.byUuid(domainUUID);
  if (sameUuid === undefined) return undefined;
  return {
    reason: 'DomainUUIDTaken',
    message: `The host has a domain ${sameUuid.name} with the UUID ${domainUUID} that this VM needs. Undefine that domain with virsh, or move it to another UUID.`,
  };
}

function observedDomain(
  entry: DomainEntry,
  instance: VirtualMachineInstance,
  { guestReport, guestSilence }: Observer,
): ObservedDomain | undefined {
  const { identity } = entry;
  if (identity === undefined) return undefined;
  const silence = guestSilence(entry.uuid);
  return {
    epoch: identity.epoch,
    restartedAt: identity.restartedAt,
    startedAt: identity.startedAt,
    ...(identity.cpu && { cpu: identity.cpu }),
    state: isPaused(entry.state) ? { running: false, pausedBy: pauseCauseOf(entry) } : { running: true },
    outdatedFields: changedFields(instance.spec, identity.fields),
    guestTools: { connected: entry.guestAgentConnected, ...(guestReport(entry.uuid) ?? { addresses: [] }) },
    ...(silence && { silence }),
  };
}

function isPaused(state: number): boolean {
  return state === DomainState.PAUSED || state === DomainState.PMSUSPENDED || state === DomainState.CRASHED;
}

/** Only a pause that somebody asked for, or that a failed guest is in, is undone; libvirt ends its own. */
function pauseCauseOf({ state, reason }: DomainEntry): PauseCause {
  if (state === DomainState.PMSUSPENDED) return 'Transition';
  if (state === DomainState.CRASHED) return 'Panic';
  switch (reason) {
    case PausedReason.IOERROR:
      return 'IOError';
    case PausedReason.MIGRATION:
    case PausedReason.POSTCOPY:
    case PausedReason.POSTCOPY_FAILED:
      return 'Migration';
    case PausedReason.STARTING_UP:
      return 'Starting';
    case PausedReason.WATCHDOG:
      return 'Watchdog';
    // Somebody has reset it after a panic, past Drover, and libvirt waits for a resume.
    case PausedReason.CRASHED:
    case PausedReason.UNKNOWN:
    case PausedReason.USER:
    case PausedReason.FROM_SNAPSHOT:
      return 'Asked';
    default:
      return 'Transition';
  }
}
