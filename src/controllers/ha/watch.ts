import { isDeepStrictEqual } from 'node:util';
import { CONFIRM_FENCED_ANNOTATION } from '../../api/common/names.ts';
import { type HAPolicySpec, MISSED_RENEWAL_SECONDS } from '../../api/ha-policy.ts';
import { Host } from '../../api/host.ts';
import type { HostAvailability } from '../../api/host-availability.ts';
import { distrustOf } from '../../core/ha/bmc-trust.ts';
import { afterFence, type FenceOutcome } from '../../core/ha/fencing.ts';
import { isNews, nextHostStep } from '../../core/ha/host-state.ts';
import type { HostInput } from '../../core/ha/host-step.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { needsProof, proofOfHost, shouldRun } from '../../core/ha/proof.ts';
import { isTakenBack } from '../../core/ha/recovery.ts';
import { judgeLease } from '../../core/ha/storage-lease.ts';
import { endOfWait } from '../../core/model/clock.ts';
import { maintenanceOf } from '../../core/model/read-host.ts';
import { isConfirmedOff, isOrphan } from '../../core/virtual-machine/next-step.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import { confirmOff, PowerError } from '../../power/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { hostsOfLease } from '../host/lease.ts';
import { BY_HOST, BY_TARGET } from '../informers.ts';
import { BmcError, bmcFailure, bmcOf, type OpenDevice } from './bmc.ts';

/** A silent host must not wait until others have been fenced. */
const CONCURRENCY = 64;
/** A pass that cuts the power of a host takes as long as its BMC, and the policy allows up to ten minutes. */
const PASS_TIMEOUT_MS = 660_000;
/** Hosts whose loss is so young count as lost at the same time. */
const SAME_TIME_MS = 60_000;
/** A host that has fallen silent is a suspect, and gets no VMs, also while its BMC takes its time. */
const FIRST_READING_MS = 1_500;
/** Between two readings of a power that is being cut. */
const READ_EVERY_MS = 250;

/** A host that was asked so recently need not be asked again before an order to its BMC. */
const ASKED_JUST_NOW_MS = 2_000;

/** What this process knows of a host besides what the cache shows. */
interface Memory {
  /** Written last; the cache may not show it yet. */
  written?: { readonly uid: string; readonly availability: HostAvailability | undefined };
  unanswered: number;
}

/** Watches the hosts of Clusters that have high availability, and makes sure that those which have died are off. */
export function hostWatchController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts, leases } = deps.informers;
  const memories = new Map<string, Memory>();
  return new Controller({
    name: 'hostWatch',
    concurrency: CONCURRENCY,
    reconcileTimeoutMs: PASS_TIMEOUT_MS,
    sources: [
      source(hosts),
      source(leases, ({ object }) => hostsOfLease(object)),
      source(clusters, () => hosts.keys()),
      source(haPolicies, () => hosts.keys()),
    ],
    reconcile: async (key, context) => {
      const memory = memories.get(key) ?? { unanswered: 0 };
      memories.set(key, memory);
      return await reconcile(key, context, memory, deps);
    },
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  context: ReconcileContext,
  memory: Memory,
  deps: ControllerDependencies,
): Promise<Result> {
  const { informers, inventories } = deps;
  const host = informers.hosts.get(key);
  const bootID = host?.status?.bootID;
  if (host === undefined || bootID === undefined) return done;
  const clusterName = inventories.clusterOf(key);
  const cluster = clusterName === undefined ? undefined : informers.clusters.get(clusterName);
  const choice = policyOf(cluster, (name) => informers.haPolicies.get(name));
  if (!choice.ok || !choice.enabled || cluster === undefined) {
    if (host.status?.availability !== undefined) await write(host, undefined, memory, deps, context);
    return done;
  }
  const before = knownOf(host, memory);
  const { answer, power, lease } = await ask(host, bootID, before, choice.policy, deps, context);
  memory.unanswered = answer === 'Nobody' ? memory.unanswered + 1 : 0;
  const step = nextHostStep({
    nowMs: context.clock.now().getTime(),
    host: key,
    bootID,
    before,
    policy: choice.policy,
    // The wait for the answers was silence, too.
    heartbeat: deps.heartbeats.of(key),
    answer,
    unanswered: memory.unanswered,
    power,
    isOver: host.status?.storageLease?.state === 'Over',
    lease,
    toRecover: toRecoverOn(key, deps),
    placed: deps.informers.instances.byIndex(BY_HOST, key).filter((each) => !isConfirmedOff(each)).length,
    unsettled: unsettledOn(host, bootID, deps),
    inMaintenance: maintenanceOf(host) !== undefined,
    cluster: silenceOf(cluster.metadata.name, deps),
    confirmed: host.metadata.annotations[CONFIRM_FENCED_ANNOTATION],
  });
  await write(host, step.availability, memory, deps, context);
  if (step.fence) {
    const outcome = await fence(host, choice.policy, deps, context);
    if (outcome === 'Lives') return requeueAfter(1, 'it gives signs of life again');
    const after = afterFence(step.availability, outcome, context.clock.now().getTime());
    await write(host, after, memory, deps, context);
    return requeueAfter(1_000, 'its power was cut, or could not be');
  }
  return step.againMs === undefined ? done : requeueAfter(step.againMs, step.availability.reason);
}

function knownOf({ metadata, status }: Host, { written }: Memory): HostAvailability | undefined {
  return written?.uid === metadata.uid ? written.availability : status?.availability;
}

/** Asks everybody who may know of a host that is silent, all at once. One that gives signs of life is asked nothing. */
async function ask(
  host: Host,
  bootID: string,
  before: HostAvailability | undefined,
  { failureDetection, fencing: { order } }: HAPolicySpec,
  deps: ControllerDependencies,
  context: ReconcileContext,
): Promise<Pick<HostInput, 'answer' | 'power' | 'lease'>> {
  const { name } = host.metadata;
  const state = before?.bootID === bootID ? before.state : 'Online';
  const isSilent = deps.heartbeats.of(name).silentMs >= failureDetection.suspectAfterSeconds * 1000;
  const isUp = state === 'Online' || state === 'Recovered';
  if (!isSilent && isUp) return { answer: undefined, power: NOT_ASKED, lease: { kind: 'None' } };
  const wantsProof = state !== 'Fenced' && state !== 'Standby';
  const read = (signal: AbortSignal) => readPower(host, deps, signal);
  const firstReading = () => notLaterThan(FIRST_READING_MS, read, NOT_YET, context);
  const reading = () => (isUp ? firstReading() : read(context.signal));
  const [answer, power, lease] = await Promise.all([
    deps.askAgent(host, context.signal),
    wantsProof && order.includes('BMC') ? reading() : NOT_ASKED,
    wantsProof && order.includes('StorageLease') ? readLease(name, bootID, deps, context) : ({ kind: 'None' } as const),
  ]);
  return { answer, power, lease };
}

const NOT_ASKED = { kind: 'None', message: 'it was not asked' } as const;
const NOT_YET = { kind: 'Failed', message: 'its BMC has not answered yet' } as const;

/** What comes of the work, or `late` when that takes longer. */
async function notLaterThan<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: T,
  { signal, clock }: ReconcileContext,
): Promise<T> {
  const over = new AbortController();
  try {
    const either = AbortSignal.any([signal, over.signal]);
    return await Promise.race([work(either), clock.sleep(ms, either).then(() => late)]);
  } finally {
    over.abort();
  }
}

/** What its BMC reads now. Whatever is wrong with it comes back in words. */
export async function readPower(
  host: Host,
  { client, openDevice }: Pick<ControllerDependencies, 'client' | 'openDevice'>,
  signal: AbortSignal,
): Promise<HostInput['power']> {
  const distrust = distrustOf(host);
  // As good as none.
  if (distrust !== undefined) return { kind: 'None', message: distrust };
  try {
    const { state } = await (await bmcOf(host, client, openDevice, signal)).readState(signal);
    return { kind: 'Read', state };
  } catch (error) {
    const { message } = bmcFailure(error);
    return error instanceof BmcError && error.reason === 'NoBMC'
      ? { kind: 'None', message: 'it has no BMC (spec.power.bmc)' }
      : { kind: 'Failed', message };
  }
}

/** What others see of its lease. That agents do not know this operator yet is no reason to judge without them. */
async function readLease(
  host: string,
  bootID: string,
  { informers, askLeases }: ControllerDependencies,
  { signal, log }: ReconcileContext,
): Promise<HostInput['lease']> {
  try {
    return judgeLease(host, bootID, await askLeases(host, informers.hosts.list(), signal));
  } catch (err) {
    signal.throwIfAborted();
    log.warn({ err, host }, 'other hosts could not be asked for its lease on storage');
    return { kind: 'Unknown', message: `others could not be asked for its lease on storage: ${String(err)}` };
  }
}

/** Thrown before an order to cut the power of a host that is back meanwhile. */
class LivesAgain extends Error {}

/**
 * Cuts the power and reads that it is off. The state that says so has been written before.
 * A BMC may be slow, and orders are repeated for as long as the policy allows: each is held back when the host has come back.
 */
async function fence(
  host: Host,
  policy: HAPolicySpec,
  deps: ControllerDependencies,
  { signal, clock, log }: ReconcileContext,
): Promise<FenceOutcome | 'Lives'> {
  const distrust = distrustOf(host);
  if (distrust !== undefined) return { ok: false, message: distrust };
  log.warn({ host: host.metadata.name, bootID: host.status?.bootID }, 'cutting the power of the host');
  const begunMs = clock.monotonicMs();
  const open: OpenDevice = (bmc, credentials) => {
    const device = deps.openDevice(bmc, credentials);
    return {
      readState: (within) => device.readState(within),
      powerOn: (within) => device.powerOn(within),
      forceOff: async (within) => {
        if (await livesAgain(host, policy, clock.monotonicMs() - begunMs, deps, within)) throw new LivesAgain();
        await device.forceOff(within);
      },
    };
  };
  try {
    const device = await bmcOf(host, deps.client, open, signal);
    const deadlineMs = policy.fencing.timeoutSeconds * 1000;
    const outcome = await confirmOff(device, { deadlineMs, intervalMs: READ_EVERY_MS, clock }, signal);
    return outcome.ok ? { ok: true } : { ok: false, message: outcome.message };
  } catch (error) {
    if (error instanceof LivesAgain) {
      log.warn({ host: host.metadata.name }, 'the host gives signs of life again: its power is not cut');
      return 'Lives';
    }
    if (!(error instanceof PowerError || error instanceof BmcError)) throw error;
    return { ok: false, message: error.message };
  }
}

async function livesAgain(
  host: Host,
  { failureDetection }: HAPolicySpec,
  sinceAskedMs: number,
  { heartbeats, askAgent }: ControllerDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  const heartbeat = heartbeats.of(host.metadata.name);
  if (heartbeat.kind === 'Seen' && heartbeat.silentMs < failureDetection.suspectAfterSeconds * 1000) return true;
  // It was asked a moment ago, and a failover must not wait for it once more.
  if (sinceAskedMs < ASKED_JUST_NOW_MS) return false;
  const answer = await askAgent(host, signal);
  return answer === 'Agent' || answer === 'NewAgent';
}

/** VMs that would run elsewhere, if only it were proven that they do not run there. */
function toRecoverOn(host: string, { informers }: ControllerDependencies): number {
  const { instances, virtualMachines, hosts } = informers;
  // Those that were on their way to it wait, too, when the host is dead that they come from.
  const coming = instances
    .byIndex(BY_TARGET, host)
    .filter((instance) => proofOfHost(instance, hosts.get(instance.spec.host)) !== undefined);
  return [...instances.byIndex(BY_HOST, host), ...coming].filter((instance) => {
    const vm = virtualMachines.get(keyOf(instance));
    // One that was taken back from the host goes on elsewhere as soon as nothing of it can be left there.
    const isAwaited = isTakenBack(instance.spec) && !isOrphan(vm, instance) && !isConfirmedOff(instance);
    return needsProof(instance) && (shouldRun(vm, instance) || isAwaited);
  }).length;
}

/** VMs of which the host has not told in this boot, and domains there that no intent speaks of. */
function unsettledOn({ metadata, status }: Host, bootID: string, { informers }: ControllerDependencies): number {
  const untold = informers.instances
    .byIndex(BY_HOST, metadata.name)
    .filter((instance) => instance.status?.host !== metadata.name || instance.status.bootID !== bootID);
  return untold.length + (status?.strayDomains?.length ?? 0);
}

/** How many hosts a Cluster has, and how many of them went silent at about the same time. */
function silenceOf(cluster: string, { informers, inventories, heartbeats, clock }: ControllerDependencies) {
  const hosts = informers.hosts
    .list()
    .filter(({ metadata, status }) => status?.bootID !== undefined && inventories.clusterOf(metadata.name) === cluster);
  const silent = hosts.filter(({ metadata, status }) => {
    if (heartbeats.of(metadata.name).silentMs < MISSED_RENEWAL_SECONDS * 1000) return false;
    const { state, since = '' } = status?.availability ?? {};
    // Powered off on purpose.
    if (state === 'Standby') return false;
    const nowMs = clock.now().getTime();
    return state !== 'Fenced' || nowMs < endOfWait(Date.parse(since), SAME_TIME_MS, nowMs);
  });
  return { hosts: hosts.length, silent: silent.length };
}

async function write(
  host: Host,
  availability: HostAvailability | undefined,
  memory: Memory,
  { client, events }: ControllerDependencies,
  { signal, log }: ReconcileContext,
): Promise<void> {
  const before = knownOf(host, memory);
  // What the cache shows counts as well: a write whose answer was lost may stand there, though this process does not know it.
  if (isDeepStrictEqual(before, availability) && isDeepStrictEqual(host.status?.availability, availability)) return;
  const { apiVersion, kind, metadata } = host;
  const { name, uid } = metadata;
  const status = availability === undefined ? {} : { availability };
  // The cache, which may show something older than what stands there, does not decide whether it is written.
  const options = { fieldManager: FIELD_MANAGERS.hostWatch, signal };
  await client.applyStatus(Host, { apiVersion, kind, metadata: { name, uid }, status }, options);
  memory.written = { uid, availability };
  if (availability === undefined || !isNews(before, availability)) return;
  const { state, reason, message: note, bootID } = availability;
  log.warn({ host: host.metadata.name, state, reason, bootID, note }, 'the host is in another state');
  // That a host goes on as it began is no news.
  if (before === undefined && state === 'Online') return;
  const isWell = (state === 'Online' && reason === 'Alive') || state === 'Standby' || state === 'Recovered';
  const type = isWell ? 'Normal' : 'Warning';
  events.record({ regarding: host, type, reason, action: state, note });
}
