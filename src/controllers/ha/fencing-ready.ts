import { Host, type HostStatus } from '../../api/host.ts';
import {
  afterReading,
  distrustOf,
  isGivenTheLie,
  type OffReadings,
  POWER_STATE_CONTRADICTED,
} from '../../core/ha/bmc-trust.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { lapsedAfterMs } from '../../core/ha/storage-lease.ts';
import { visibleDatastores } from '../../core/model/read-host.ts';
import { KubeError, leaseKind, type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { PowerState } from '../../power/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  type ReconcileContext,
  requeueAfter,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { leaseKeyOf } from '../host/lease.ts';
import { writeStatus } from '../write-status.ts';
import { BmcError, bmcFailure, bmcOf } from './bmc.ts';

const TYPE = 'FencingReady';
/** How often a BMC is asked that answered, and one that did not. */
const ASK_EVERY_MS = 60_000;
const ASK_AGAIN_MS = 15_000;

/** When a BMC was asked last. */
interface Asked {
  /** What was known then of all that decides how it is asked. */
  readonly of: string;
  readonly atMs: number;
  /** All was well. */
  readonly ok: boolean;
  /** It has read Off. Undefined: it has not. */
  readonly off: OffReadings | undefined;
}

/** Asks the hosts' BMCs again and again, so that what is wrong with one is known before the day that it is needed. */
export function fencingReadyController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts } = deps.informers;
  const asked = new Map<string, Asked>();
  return new Controller({
    name: 'fencingReady',
    concurrency: 16,
    sources: [source(hosts), source(clusters, () => hosts.keys()), source(haPolicies, () => hosts.keys())],
    reconcile: async (key, context) => {
      const host = deps.informers.hosts.get(key);
      if (host === undefined) {
        asked.delete(key);
        return done;
      }
      // Hosts change all the time; that is no reason to ask their BMCs.
      const order = fencingOf(key, deps);
      const { systemUUID, storageLease } = host.status ?? {};
      const lease = order?.includes('StorageLease') && [storageLease?.state, seesSharedDatastore(host, deps)];
      const of = JSON.stringify([host.spec.power, systemUUID, order, lease]);
      const known = asked.get(key);
      const dueMs = known?.of === of ? known.atMs + (known.ok ? ASK_EVERY_MS : ASK_AGAIN_MS) : 0;
      const waitMs = dueMs - deps.clock.monotonicMs();
      if (waitMs > 0) return requeueAfter(waitMs, 'its BMC was asked a short while ago');
      const { ok, off } = await look(host, known?.off, context, deps);
      // One that reads Off of a host that speaks is not what it seems to be.
      const isDoubtful = off !== undefined && deps.heartbeats.of(key).silentMs < ASK_EVERY_MS;
      asked.set(key, { of, atMs: deps.clock.monotonicMs(), ok: ok && !isDoubtful, off });
      return requeueAfter(ok && !isDoubtful ? ASK_EVERY_MS : ASK_AGAIN_MS, 'its BMC is asked again');
    },
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

/** Whether the host is to be fenced if it dies, and by what. */
function fencingOf(host: ObjectKey, { inventories, informers }: ControllerDependencies): readonly string[] | undefined {
  const name = inventories.clusterOf(host);
  const choice = policyOf(name === undefined ? undefined : informers.clusters.get(name), (policy) =>
    informers.haPolicies.get(policy),
  );
  return choice.ok && choice.enabled ? choice.policy.fencing.order : undefined;
}

/** @returns whether all is well, as far as it matters. */
async function look(
  host: Host,
  offBefore: OffReadings | undefined,
  { signal, clock }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Pick<Asked, 'ok' | 'off'>> {
  const { powerState, condition, off } = await judge(host, offBefore, deps, signal);
  const before = (host.status?.conditions ?? []).filter(({ type }) => type === TYPE);
  // A host without BMC whose Cluster has no high availability need not say so.
  if (condition === undefined && before.length === 0 && powerState === undefined) return { ok: true, off };
  const conditions =
    condition === undefined
      ? []
      : [...setConditions(before, [{ ...condition, observedGeneration: host.metadata.generation }], clock.now())];
  const status = { ...(powerState !== undefined && { powerState }), ...(conditions.length > 0 && { conditions }) };
  const options = { fieldManager: FIELD_MANAGERS.fencingReady, signal };
  const written = await writeStatus(deps.client, Host, host, status, options);
  if (written && condition !== undefined && before[0]?.reason !== condition.reason) {
    const type = condition.status === 'True' ? 'Normal' : 'Warning';
    const { reason, message: note } = condition;
    deps.events.record({ regarding: host, type, reason, action: 'Probing', note });
  }
  return { ok: condition?.status !== 'False', off };
}

interface Judgement {
  readonly powerState?: NonNullable<HostStatus['powerState']>;
  /** Absent: nothing is asked of the host. */
  readonly condition?: ConditionInput;
  /** It reads Off. Absent: it does not, or does not answer. */
  readonly off?: OffReadings | undefined;
}

async function judge(
  host: Host,
  offBefore: OffReadings | undefined,
  deps: ControllerDependencies,
  signal: AbortSignal,
): Promise<Judgement> {
  const order = fencingOf(host.metadata.name, deps);
  const not = (reason: string, message: string): Judgement => ({
    condition: { type: TYPE, status: 'False', reason, message },
  });
  const lease = order?.includes('StorageLease') ? leaseReadiness(host, deps) : undefined;
  if (order !== undefined && !order.includes('BMC')) {
    if (lease !== undefined) return { condition: lease };
    return not(
      'NoFencingMethod',
      'the HAPolicy has no way to prove that a host is off (fencing.order is empty): the VMs of a dead host wait until an administrator confirms it',
    );
  }
  let state: PowerState;
  try {
    ({ state } = await (await bmcOf(host, deps.client, deps.openDevice, signal)).readState(signal));
  } catch (error) {
    const { reason, message } = bmcFailure(error);
    const isAbsent = error instanceof BmcError && error.reason === 'NoBMC';
    if (isAbsent && order === undefined) return {};
    // That it does not answer makes it no better.
    if (!isAbsent && distrustOf(host) !== undefined) return not(POWER_STATE_CONTRADICTED, contradicted(host));
    if (lease?.status === 'True') return { condition: lease };
    const then = 'If the host dies, its VMs wait until that is mended, or an administrator confirms that it is off';
    return not(reason, `${message}. ${then}`);
  }
  const off = state === 'On' ? undefined : afterReading(state, await renewTimeOf(host, deps, signal), offBefore);
  if (off !== undefined && (isGivenTheLie(off) || distrustOf(host) !== undefined)) {
    return { powerState: state, off, ...not(POWER_STATE_CONTRADICTED, contradicted(host)) };
  }
  const message = `its BMC answers and reads that the host is ${state.toLowerCase()}`;
  return { powerState: state, off, condition: { type: TYPE, status: 'True', reason: 'BMCAnswers', message } };
}

function contradicted({ spec }: Host): string {
  const address = spec.power.bmc?.address;
  return `the BMC at ${address} reads that the host is off, and read so while its agent renewed its lease: it is the BMC of another machine, or lies. It is not believed, and given no order, until it reads that the host is on. Correct spec.power.bmc; look at the BMC. If the host dies, its VMs wait until an administrator confirms that it is off`;
}

/** When its agent renewed its lease last, as it is stored now: what the cache shows may be late. */
async function renewTimeOf(
  { metadata: { name } }: Host,
  { client }: ControllerDependencies,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return (await client.get(leaseKind, refOfKey(leaseKeyOf(name)), { signal })).spec?.renewTime;
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound()) return undefined;
    throw error;
  }
}

function seesSharedDatastore(host: Host, { informers }: ControllerDependencies): boolean {
  const find = (name: string) => informers.datastores.get(name);
  return visibleDatastores(host, find).some((name) => find(name)?.spec.shared);
}

/** Whether its silence on storage would prove that it is off. */
function leaseReadiness(host: Host, deps: ControllerDependencies): ConditionInput {
  const { status } = host;
  const { state, selfFenceSeconds = 0, watchdogSeconds = 0 } = status?.storageLease ?? {};
  if (state === 'Held') {
    const seconds = Math.ceil(
      lapsedAfterMs({ selfFenceMs: selfFenceSeconds * 1000, watchdogMs: watchdogSeconds * 1000 }) / 1000,
    );
    const message = `it renews its lease on storage and has a watchdog: once the lease was silent for ${seconds} s, none of its VMs runs`;
    return { type: TYPE, status: 'True', reason: 'StorageLeaseHeld', message };
  }
  const not = (reason: string, message: string): ConditionInput => ({ type: TYPE, status: 'False', reason, message });
  if (state !== undefined) {
    const message =
      'its lease on storage could not be renewed and has lapsed, so that its VMs were ended: it serves again once its shared datastores take its lease';
    return not('StorageLeaseLapsed', message);
  }
  if (!seesSharedDatastore(host, deps)) {
    const message =
      'it can use no Datastore that hosts share, so that its lease has no place: see status.datastores of the Host, or add a Datastore with spec.shared';
    return not('NoSharedDatastore', message);
  }
  const message =
    'it holds no lease on storage with a watchdog behind it: its lease keeper does not run, or cannot open the watchdog. Label its Node drover.dev/lease-keeper, and read the log of drover-lease-keeper there';
  return not('NoStorageLease', message);
}
