import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { HostAvailability } from '../../api/host-availability.ts';
import type { FailedStart, GaveUp } from '../../api/recovery.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance, VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { endOfWait, isStillToCome } from '../model/clock.ts';
import { compareText } from '../model/order.ts';
import { readiness } from '../model/read-host.ts';
import type { PlacementRequest } from '../placement/request.ts';

/** Before the third attempt, in milliseconds; doubled for each further one. The second follows at once: most faults are of one host. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 300_000;
/** How long a host that has failed is not asked again for the VM; doubled each time that it has. */
const FIRST_AVOIDANCE_MS = 60_000;
const LONGEST_AVOIDANCE_MS = 600_000;
/** Reasons of a refusal that hold on every host: another one is asked only after the time that the policy gives. */
const ANYWHERE: ReadonlySet<string> = new Set(['DiskLocked']);
/** States of a host whose agent is heard of. */
const IS_UP: ReadonlySet<HostAvailability['state']> = new Set(['Online', 'Recovered']);
/** `message` of an attempt holds no more. */
const MESSAGE_MAX = 1024;

/** Whether the placement was taken back: its host is to confirm that nothing of the VM is left there. */
export function isTakenBack({ epoch, failover }: Pick<VirtualMachineInstanceSpec, 'epoch' | 'failover'>): boolean {
  return failover?.tried?.some((each) => each.epoch === epoch) ?? false;
}

/** Whether a failover has chosen this placement. */
export function isOfFailover({ epoch, failover }: Pick<VirtualMachineInstanceSpec, 'epoch' | 'failover'>): boolean {
  return failover?.epoch === epoch;
}

/** Whether a recovery of the VM is still under way, as far as its instance shows: it was taken back, or has not said yet that it runs. */
export function isRecovering({ spec, status }: VirtualMachineInstance): boolean {
  if (!isOfFailover(spec) || spec.migration !== undefined) return false;
  return isTakenBack(spec) || status?.observedEpoch !== spec.epoch || status.host !== spec.host || !ran(status.phase);
}

/** Whether the VM has come to run in the placement that a failover chose: what becomes of it from there on is another story. */
export function hasRun(instance: VirtualMachineInstance, vm: VirtualMachine | undefined): boolean {
  const { spec, status } = instance;
  const last = vm?.status?.lastFailover;
  if (last?.runningAt !== undefined && last.decidedAt === spec.failover?.decidedAt) return true;
  if (status?.observedEpoch !== spec.epoch || status.host !== spec.host) return false;
  const stoppedMs = Date.parse(status.lastStop?.at ?? '');
  return ran(status.phase) || stoppedMs >= Date.parse(spec.failover?.decidedAt ?? '');
}

function ran(phase: NonNullable<VirtualMachineInstance['status']>['phase']): boolean {
  return phase !== undefined && phase !== 'Starting' && phase !== 'Failed';
}

/** What has become of the start that a failover asked a host for. */
export type StartVerdict =
  | { readonly verdict: 'Started' }
  /** `untilMs`: when it will count as failed (Unix time). Absent: not while the host does not answer. */
  | { readonly verdict: 'Starting'; readonly untilMs?: number }
  | { readonly verdict: 'Failed'; readonly reason: string; readonly message: string };

/**
 * Judges a placement that a failover has chosen. A host that is away cannot be asked to give the VM back, so that it is waited for:
 * it comes back and starts the VM, or is proven to be off.
 */
export function judgeStart(
  instance: VirtualMachineInstance,
  vm: VirtualMachine | undefined,
  host: Host | undefined,
  { timeoutSeconds }: HAPolicySpec['restart'],
  nowMs: number,
): StartVerdict {
  const { metadata, spec, status } = instance;
  if (!isOfFailover(spec) || spec.powerState === 'Off' || hasRun(instance, vm)) return { verdict: 'Started' };
  if (host === undefined || !readiness(host).ok) return { verdict: 'Starting' };
  const { availability, bootID } = host.status ?? {};
  const isBack = availability === undefined || (availability.bootID === bootID && IS_UP.has(availability.state));
  if (!isBack) return { verdict: 'Starting' };
  const isCurrent =
    status?.observedEpoch === spec.epoch &&
    status.host === spec.host &&
    status.observedGeneration === metadata.generation;
  const { phase, reason = 'Failed', message = '' } = isCurrent ? status : {};
  if (phase === 'Failed' && !ANYWHERE.has(reason)) return { verdict: 'Failed', reason, message };
  // A host that has just come back is given the whole time, by the operator's clock: Ready is told by the host's own.
  const begun = [spec.failover?.decidedAt, availability?.since].map((at) => Date.parse(at ?? '') || 0);
  const begunMs = Math.max(0, ...begun.filter((ms) => !isStillToCome(ms, nowMs)));
  const untilMs = begunMs + timeoutSeconds * 1000;
  if (nowMs < untilMs) return { verdict: 'Starting', untilMs };
  const last = message === '' ? '' : `; it says: ${message}`;
  return { verdict: 'Failed', reason: 'StartTimedOut', message: `it did not run within ${timeoutSeconds} s${last}` };
}

/** The attempts with the one of this placement, which has come to nothing. */
export function triedWith(
  { spec }: VirtualMachineInstance,
  { reason, message }: { readonly reason: string; readonly message: string },
  at: string,
): FailedStart[] {
  const { host, epoch, failover } = spec;
  return [...(failover?.tried ?? []), { host, epoch, at, reason, message: message.slice(0, MESSAGE_MAX) }];
}

/** When the next host may be asked. In Unix time, as `nowMs`. */
export function nextAttemptAtMs(tried: readonly FailedStart[], nowMs: number): number {
  const last = tried.at(-1);
  if (last === undefined || tried.length < 2) return 0;
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tried.length - 2), LONGEST_PAUSE_MS);
  return endOfWait(Date.parse(last.at), pauseMs, nowMs);
}

/** Hosts that have failed so recently that they are not asked again, and until when. */
export function failedHosts(tried: readonly FailedStart[], nowMs: number): PlacementRequest['failedHosts'] {
  const found = new Map<string, { readonly reason: string; readonly untilMs: number; readonly times: number }>();
  for (const { host, at, reason } of tried) {
    const times = (found.get(host)?.times ?? 0) + 1;
    const avoidedMs = Math.min(FIRST_AVOIDANCE_MS * 2 ** (times - 1), LONGEST_AVOIDANCE_MS);
    found.set(host, { reason, untilMs: endOfWait(Date.parse(at), avoidedMs, nowMs), times });
  }
  return new Map(
    [...found].flatMap(([host, { reason, untilMs }]): [string, { reason: string; untilMs: number }][] =>
      nowMs < untilMs ? [[host, { reason, untilMs }]] : [],
    ),
  );
}

/** What becomes of a recovery of which every attempt has failed. */
export type Retrial =
  /** `added`: hosts that are new to it. None: all are worth another attempt. */
  | { readonly retrial: 'Resume'; readonly why: string; readonly added: readonly string[] }
  | { readonly retrial: 'GiveUp'; readonly record: GaveUp }
  | { readonly retrial: 'Wait' };

/**
 * Whether something has changed since the last attempt that makes another one worth it. A host counts as new when it could not take the VM at
 * some moment since: it joined, came back, or something was freed on it.
 * @param fits hosts that could take the VM now, whether or not they have failed
 */
export function judgeRetrial(
  { spec }: VirtualMachineInstance,
  vm: { readonly generation: number; readonly restartedAt: string },
  fits: readonly string[],
  now: string,
): Retrial {
  const { generation, restartedAt } = vm;
  const hosts = fits.toSorted(compareText);
  const before = spec.failover?.gaveUp;
  if (before === undefined) return { retrial: 'GiveUp', record: { at: now, generation, restartedAt, hosts } };
  if (before.generation !== generation) return { retrial: 'Resume', why: 'its spec has changed', added: [] };
  if (before.restartedAt !== restartedAt) return { retrial: 'Resume', why: 'a restart was asked for', added: [] };
  const added = hosts.filter((host) => !before.hosts.includes(host));
  if (added.length > 0) return { retrial: 'Resume', why: `${added.join(', ')} can take it now`, added };
  return hosts.length === before.hosts.length
    ? { retrial: 'Wait' }
    : { retrial: 'GiveUp', record: { ...before, hosts } };
}

/** Every attempt in words, the oldest first. */
export function triedInWords(tried: readonly FailedStart[]): string {
  return tried.map(({ host, at, reason, message }) => `${host} at ${at}: ${reason}: ${message}`).join('; ');
}
