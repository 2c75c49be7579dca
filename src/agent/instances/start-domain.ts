import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { Run } from '../../core/instance/index.ts';
import { domainXml, type HostSide, identityOf, type NicPort, XmlTextError } from '../../domain/index.ts';
import { DomainStart, DomainState, isLibvirtError, PausedReason, RunningReason } from '../../libvirt/index.ts';
import { CodedError } from '../../runtime/index.ts';
import type { StartVerdict } from '../storage-lease/start-gate.ts';
import type { InstancesDeps } from './deps.ts';
import type { DomainTable } from './domain-table.ts';
import { domainLogPath } from './logged-end.ts';
import { nameOf } from './observe.ts';
import { DOMAIN_EXISTS, type StartFailure, startFailureOf } from './refusal.ts';
import type { RunRecords } from './run-records.ts';

export type StartOutcome = { readonly ok: true } | ({ readonly ok: false } & StartFailure);

/** What events say of a domain before the reply to its start has come. */
export interface StartUnderWay {
  stopped: boolean;
}

/** What a start needs from the rest of the agent. */
type StartDeps = Pick<
  InstancesDeps,
  | 'bootID'
  | 'libvirt'
  | 'virtualization'
  | 'cpuFeatures'
  | 'portOf'
  | 'mayStart'
  | 'openUserData'
  | 'seedDirectory'
  | 'logDirectory'
  | 'files'
>;

export interface Starter<Deps = InstancesDeps> {
  readonly deps: Deps;
  readonly table: DomainTable;
  readonly records: RunRecords;
  /** Starts under way, by UUID of the domain. */
  readonly starting: Map<string, StartUnderWay>;
  /** The table may be wrong: all domains are listed anew. */
  readonly onUnclear: () => void;
}

/** QEMU opens disks and allocates memory meanwhile; a host that swaps takes its time. */
const START_TIMEOUT_MS = 120_000;

/**
 * Starts the domain of an instance. What may be missing on the host comes first; then the run is recorded, so that
 * whatever happens from there on is known to belong to it; then libvirt is asked.
 * @throws CodedError when it is not known whether libvirt carried it out.
 */
export async function startDomain(
  { deps, table, records, starting, onUnclear }: Starter<StartDeps>,
  instance: VirtualMachineInstance,
  run: Run,
): Promise<StartOutcome> {
  const { spec, metadata } = instance;
  const intent = { namespace: metadata.namespace ?? '', name: metadata.name, spec };
  const { domainUUID: uuid } = spec;
  let xmlDesc: string;
  let host: HostSide;
  try {
    host = await hostSideOf(deps, instance);
    xmlDesc = domainXml(intent, host, run.startedAt);
  } catch (error) {
    return preparationFailure(error);
  }
  // What libvirt writes of this run comes after it, whatever becomes of the clock.
  const logOffset = await deps.files.sizeOf(domainLogPath(deps.logDirectory, nameOf(instance)));
  await records.saveRun(spec.virtualMachineUID, { ...run, logOffset });
  // The last thing before libvirt is asked: whatever took its time, or stood still, lies behind it.
  const verdict = leaseVerdict(deps);
  if (!verdict.ok) return { ok: false, reason: 'StorageLeaseNotHeld', message: verdict.message, mayPass: true };
  const isPaused = spec.powerState === 'Paused';
  const underWay: StartUnderWay = { stopped: false };
  starting.set(uuid, underWay);
  try {
    const flags = isPaused ? DomainStart.PAUSED : 0;
    const { dom } = await deps.libvirt.call('domainCreateXml', { xmlDesc, flags }, { timeoutMs: START_TIMEOUT_MS });
    table.put({
      ...dom,
      state: isPaused ? DomainState.PAUSED : DomainState.RUNNING,
      reason: isPaused ? PausedReason.USER : RunningReason.BOOTED,
      identity: identityOf(intent, run.startedAt, host),
      guestAgentConnected: false,
    });
    if (underWay.stopped) onUnclear();
    return { ok: true };
  } catch (error) {
    if (isLibvirtError(error)) {
      const failure = startFailureOf(error, instance);
      if (failure.reason === DOMAIN_EXISTS) onUnclear();
      // A listing may have met it while libvirt was trying.
      else table.remove(uuid);
      return { ok: false, ...failure };
    }
    // It may run by now: nothing is decided before all domains have been listed.
    table.outdate();
    onUnclear();
    throw new CodedError(
      'LibvirtUnavailable',
      `Domain ${nameOf(instance)}: no answer to its start; it is looked for before anything else is done`,
      { cause: error },
    );
  } finally {
    starting.delete(uuid);
  }
}

function leaseVerdict({ mayStart }: Pick<StartDeps, 'mayStart'>): StartVerdict {
  try {
    return mayStart();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { ok: false, message: `Whether the host's lease on storage is held is not known: ${words}` };
  }
}

/** Makes on the host what an instance needs that comes from another host while it runs: all but its disks. */
export async function prepareArrival(deps: StartDeps, instance: VirtualMachineInstance): Promise<void> {
  const { cloudInit, migration } = instance.spec;
  const forThisHost = cloudInit && { ...cloudInit, sealedUserData: migration?.sealedUserData };
  await hostSideOf(deps, { ...instance, spec: { ...instance.spec, cloudInit: forThisHost } });
}

async function hostSideOf(deps: StartDeps, instance: VirtualMachineInstance): Promise<HostSide> {
  const { nics, cloudInit, cpu } = instance.spec;
  const ports = new Map<string, NicPort>();
  for (const nic of nics) ports.set(nic.name, await deps.portOf(nic));
  return {
    virtualization: deps.virtualization,
    consoleLogPath: `${deps.logDirectory}/${nameOf(instance)}.console.log`,
    ports,
    bootID: deps.bootID,
    ...(cpu.model === undefined && { cpuFeatures: await deps.cpuFeatures() }),
    ...(cloudInit && { seedPath: await seedOf(deps, instance, cloudInit) }),
  };
}

async function seedOf(
  { seedDirectory, openUserData, files }: StartDeps,
  { metadata, spec }: VirtualMachineInstance,
  {
    instanceID,
    hostname,
    userData,
    sealedUserData,
    networkData,
  }: NonNullable<VirtualMachineInstance['spec']['cloudInit']>,
): Promise<string> {
  const context = `${metadata.namespace}/${metadata.name}/${spec.virtualMachineUID}`;
  return await files.writeSeed({
    directory: seedDirectory,
    name: spec.virtualMachineUID,
    // A line each, since small guests read it with less than a YAML library; quoted, so that a host name like 0 stays a text.
    metaData: `instance-id: ${JSON.stringify(instanceID)}\nlocal-hostname: ${JSON.stringify(hostname)}\n`,
    userData: sealedUserData === undefined ? userData : openUserData(sealedUserData.box, context),
    networkData,
  });
}

/** Something the host lacks may come; a text that XML cannot carry stays. */
function preparationFailure(error: unknown): StartOutcome {
  const words = error instanceof Error ? error.message : String(error);
  const reason =
    error instanceof CodedError ? error.code : error instanceof XmlTextError ? 'BadSpec' : 'HostNotPrepared';
  return {
    ok: false,
    reason,
    message: `The host could not prepare the start: ${words}`,
    mayPass: reason !== 'BadSpec',
  };
}
