import type { Rest, Situation, Step } from '../../core/instance/index.ts';
import { bareIdentityElement, METADATA_PREFIX, METADATA_URI, renderXml } from '../../domain/index.ts';
import {
  DomainAffect,
  DomainMetadataType,
  DomainShutdown,
  DomainState,
  isLibvirtError,
  PausedReason,
  RunningReason,
} from '../../libvirt/index.ts';
import { CodedError } from '../../runtime/index.ts';
import type { Outgoing } from '../migrations/outgoing.ts';
import type { DomainEntry } from './domain-table.ts';
import type { GuestHeartbeats } from './guest-heartbeats.ts';
import { type InstanceMemory, LONGEST_RETRY_MS } from './memory.ts';
import { ownEntry } from './observe.ts';
import { type Starter, startDomain } from './start-domain.ts';

/** What carries steps out. */
export interface Performer {
  readonly starter: Starter;
  readonly outgoing: Outgoing;
  readonly heartbeats: Pick<GuestHeartbeats, 'forget'>;
}

/** What is done at the host; a claim is a write. */
export type Act = Exclude<Step, Rest | { readonly step: 'Claim' }>;

/** Before the next try to resume a guest that an I/O error paused: doubled as long as it is paused again soon. */
export const FIRST_RESUME_MS = 10_000;
const LONGEST_RESUME_MS = 300_000;
const PAUSED_AGAIN_SOON_MS = 60_000;
/** A start that may pass is tried again after this, doubled each time up to the longest. */
const FIRST_RETRY_MS = 5_000;

/**
 * Carries out one step and records in the table and the memory what became of it.
 * @throws CodedError when libvirt could not be asked, or refused something other than a start.
 */
export async function perform(
  { starter, outgoing, heartbeats }: Performer,
  situation: Situation,
  act: Act,
  memory: InstanceMemory,
): Promise<void> {
  if (act.step === 'Start') return await start(starter, situation, act, memory);
  const entry = ownEntry(starter.table, situation.instance);
  // It stopped in this very moment: the next look shows what follows.
  if (entry === undefined) return;
  try {
    if (isOfMigration(act)) await migrate(starter, outgoing, situation, act, memory, entry);
    else await change(starter, situation, act, memory, entry);
    // What was known of the guest was of the one before.
    if (act.step === 'Reset') heartbeats.forget(entry.uuid);
  } catch (error) {
    if (!isLibvirtError(error, 'NO_DOMAIN', 'OPERATION_INVALID')) throw libvirtFailure(act, entry, error);
    // The domain is in another state than the table says, or gone.
    if (await starter.table.isGone(entry.uuid)) starter.table.remove(entry.uuid);
    else if (isLibvirtError(error, 'OPERATION_INVALID')) throw libvirtFailure(act, entry, error);
  }
}

async function start(
  starter: Starter,
  { instance, nowMs }: Situation,
  { run }: Extract<Act, { step: 'Start' }>,
  memory: InstanceMemory,
): Promise<void> {
  if (instance.spec.cloudInit !== undefined) memory.hasSeed = true;
  const outcome = await startDomain(starter, instance, run);
  if (outcome.ok) {
    memory.stopAsked = false;
    memory.refusals = 0;
    delete memory.refusal;
    delete memory.shutdown;
    delete memory.resume;
    return;
  }
  const waitMs = Math.min(FIRST_RETRY_MS * 2 ** memory.refusals, LONGEST_RETRY_MS);
  memory.refusals += 1;
  memory.end = { of: run.startedAt, end: { began: false } };
  memory.refusal = {
    reason: outcome.reason,
    message: outcome.message,
    generation: instance.metadata.generation,
    ...(outcome.mayPass && { retryAtMs: nowMs + waitMs }),
  };
}

async function change(
  { deps, table, records }: Starter,
  { instance, nowMs, run, bootID }: Situation,
  act: Exclude<Act, { step: 'Start' } | MigrationAct>,
  memory: InstanceMemory,
  entry: DomainEntry,
): Promise<void> {
  const { libvirt, clock } = deps;
  const dom = { uuid: entry.uuid, name: entry.name, id: entry.id };
  switch (act.step) {
    case 'Adopt': {
      if (entry.identity === undefined) return;
      const identity = { ...entry.identity, epoch: instance.spec.epoch };
      // It may have come from another host, with its run: how an earlier run here ended says nothing of this one.
      delete memory.end;
      await records.saveRun(identity.virtualMachineUID, {
        ...(run ?? { restarts: 0 }),
        bootID,
        epoch: identity.epoch,
        restartedAt: identity.restartedAt,
        startedAt: identity.startedAt,
      });
      await libvirt.call('domainSetMetadata', {
        dom,
        type: DomainMetadataType.ELEMENT,
        metadata: renderXml(bareIdentityElement(identity)),
        key: METADATA_PREFIX,
        uri: METADATA_URI,
        flags: DomainAffect.LIVE,
      });
      table.put({ ...entry, identity });
      return;
    }
    case 'Suspend':
      await libvirt.call('domainSuspend', { dom });
      table.put({ ...entry, state: DomainState.PAUSED, reason: PausedReason.USER });
      return;
    case 'Resume':
      memory.resume = nextResume(memory.resume, nowMs);
      await libvirt.call('domainResume', { dom });
      table.put({ ...entry, state: DomainState.RUNNING, reason: RunningReason.UNPAUSED });
      return;
    case 'Shutdown':
      memory.stopAsked = true;
      memory.shutdown = { powerOffAtMs: act.powerOffAtMs };
      await libvirt.call('domainShutdownFlags', { dom, flags: DomainShutdown.ACPI_POWER_BTN });
      return;
    case 'Reset':
      await libvirt.call('domainReset', { dom });
      // One that its watchdog had paused stays so. An agent that dies here finds it as before, and resets it once more.
      if (entry.state !== DomainState.RUNNING) await libvirt.call('domainResume', { dom });
      table.put({ ...entry, state: DomainState.RUNNING, reason: RunningReason.UNPAUSED });
      return;
    case 'EndCrashed':
    case 'Destroy': {
      const hasCrashed = act.step === 'EndCrashed';
      memory.stopAsked = !hasCrashed;
      await libvirt.call('domainDestroyFlags', { dom });
      const stop = { at: clock.now().toISOString(), reason: hasCrashed ? 'Crashed' : 'Destroyed' } as const;
      memory.end = { of: entry.identity?.startedAt ?? '', end: { began: true, ...stop } };
      table.remove(entry.uuid);
      return;
    }
  }
}

type MigrationAct = Extract<Act, { step: 'StartMigration' | 'AbortMigration' | 'DropCopy' }>;

function isOfMigration(act: Act): act is MigrationAct {
  return act.step === 'StartMigration' || act.step === 'AbortMigration' || act.step === 'DropCopy';
}

async function migrate(
  { deps, table }: Starter,
  outgoing: Outgoing,
  { instance }: Situation,
  act: MigrationAct,
  memory: InstanceMemory,
  entry: DomainEntry,
): Promise<void> {
  const { migration } = instance.spec;
  switch (act.step) {
    case 'StartMigration':
      if (migration !== undefined) outgoing.start(entry, migration);
      return;
    case 'AbortMigration':
      await outgoing.abort(entry.uuid);
      return;
    case 'DropCopy': {
      const { uuid, name, id } = entry;
      await deps.libvirt.call('domainDestroyFlags', { dom: { uuid, name, id } });
      const end = { began: true, at: deps.clock.now().toISOString(), reason: 'Migrated' } as const;
      memory.end = { of: entry.identity?.startedAt ?? '', end };
      table.remove(uuid);
      return;
    }
  }
}

function nextResume(before: InstanceMemory['resume'], nowMs: number): NonNullable<InstanceMemory['resume']> {
  const isSoon = before !== undefined && nowMs - before.atMs < PAUSED_AGAIN_SOON_MS;
  const intervalMs = isSoon ? Math.min(before.intervalMs * 2, LONGEST_RESUME_MS) : FIRST_RESUME_MS;
  return { atMs: nowMs + intervalMs, intervalMs };
}

function libvirtFailure({ step }: Act, { name }: DomainEntry, cause: unknown): CodedError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new CodedError('LibvirtUnavailable', `${step} of domain ${name} failed: ${words}. It is tried again.`, {
    cause,
  });
}
