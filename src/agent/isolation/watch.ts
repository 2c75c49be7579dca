import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import type { Host } from '../../api/host.ts';
import type { HostIsolation } from '../../api/host-isolation.ts';
import { type Isolation, type IsolationStop, nextIsolation } from '../../core/ha/isolation.ts';
import type { EventRecorder, SharedInformer } from '../../kube/index.ts';
import type { Clock, ConditionInput, Metrics } from '../../runtime/index.ts';
import type { Reporting } from '../host-report/host-report.ts';

export interface IsolationWatchDependencies {
  /** Name of this host. */
  readonly host: string;
  /** Hosts; only the one of this name is read. */
  readonly hosts: SharedInformer<Host>;
  /** Keeps what the operator has told, also for an agent after this one. */
  readonly orders: { get(): HostIsolation | undefined; keep(orders: HostIsolation | undefined): Promise<void> };
  /** For how long the API server has not taken a renewal of the host's Lease, in milliseconds. */
  readonly apiSilentMs: () => number;
  /** Whether anything comes back from a peer. Never rejects. */
  readonly answers: (peer: HostIsolation['peers'][number], signal: AbortSignal) => Promise<boolean>;
  /** Whether another host is seen on shared storage to reach the API server. */
  readonly othersReachApi: () => boolean;
  /** Domains of Drover on this host. Undefined: not known at the moment. */
  readonly domainsLeft: () => number | undefined;
  /** Whether an agent before this one has done so in this boot: it ended with its term of the lease, and told nobody. */
  readonly hasYieldedBefore: boolean;
  /** Whether the API server has taken a renewal of this agent. */
  readonly hasReachedApi: () => boolean;
  /** Ends the host's lease on storage, so that its silence proves to others that its VMs are off. */
  readonly yieldLease: () => void;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Whether this host alone has lost the others, and what it does with its VMs then. */
export interface IsolationWatch extends Reporting<ConditionInput> {
  run(signal: AbortSignal): Promise<void>;
  /** What is to be done to the VMs now, whatever their intents say. Undefined: nothing. */
  stop(): IsolationStop | undefined;
}

const LOOK_EVERY_MS = 1_000;
const CONNECTED: Isolation = { state: 'Connected' };

export function watchIsolation(deps: IsolationWatchDependencies): IsolationWatch {
  const { host, hosts, orders, clock, log } = deps;
  const listeners = new Set<() => void>();
  let isolation: Isolation = CONNECTED;
  let hasYielded = false;
  /** Whether this term of the host has had anything to give to others. An agent that begins while the host is cut off has not. */
  let hasServed = false;
  let condition = deps.hasYieldedBefore ? GAVE_UP : NEVER;
  new Gauge({
    name: 'drover_host_isolated',
    help: '1 while the host alone has lost the API server and all other hosts.',
    registers: [deps.metrics.registry],
    collect() {
      this.set(isolation.state === 'Isolated' ? 1 : 0);
    },
  });

  const stop = (): IsolationStop | undefined => {
    const response = isolation.state === 'Isolated' ? orders.get()?.response : undefined;
    return response === 'LeavePoweredOn' ? undefined : response;
  };

  const tell = () => {
    for (const listener of listeners) listener();
  };

  const enter = (next: Isolation): void => {
    const before = isolation;
    isolation = next;
    if (JSON.stringify(before) === JSON.stringify(next)) return;
    const level = next.state === 'Isolated' ? 'error' : next.state === 'Connected' ? 'info' : 'warn';
    log[level]({ isolation: next, response: orders.get()?.response }, 'how the host stands to the others');
    if (next.state !== 'Isolated' && before.state !== 'Isolated') return;
    if (before.state === 'Isolated') {
      condition = wasIsolated(clock.now(), clock.monotonicMs() - before.sinceMs, orders.get()?.response, hasYielded);
      const { message: note } = condition;
      const regarding = hosts.get(host);
      if (regarding)
        deps.events.record({ regarding, type: 'Warning', reason: 'WasIsolated', action: 'Rejoining', note });
      hasYielded = false;
    }
    tell();
  };

  /** Only when nothing of Drover's runs any more: a lease that has ended would end it without grace. */
  const yieldWhenOff = (): void => {
    if (hasYielded || !hasServed || stop() === undefined || !orders.get()?.yieldLease || deps.domainsLeft() !== 0)
      return;
    deps.yieldLease();
    hasYielded = true;
    log.warn('all VMs are off; the lease on storage is given up, so that others may start them');
  };

  const look = async (signal: AbortSignal): Promise<void> => {
    const own = hosts.get(host);
    if (own !== undefined) await orders.keep(own.status?.isolation);
    if ((deps.domainsLeft() ?? 0) > 0) hasServed = true;
    const apiSilentMs = deps.apiSilentMs();
    const connected = nextIsolation(isolation, { apiSilentMs, peers: NOBODY, othersReachApi: false }, 0);
    if (connected.state === 'Connected') {
      // One that has just begun may be cut off, and not know it yet.
      if (deps.hasReachedApi()) hasServed = true;
      return enter(connected);
    }
    const peers = orders.get()?.peers ?? [];
    const answers = await Promise.all(peers.map((peer) => deps.answers(peer, signal)));
    if (signal.aborted) return;
    const seen = {
      apiSilentMs: deps.apiSilentMs(),
      peers: { known: peers.length, answering: answers.filter(Boolean).length },
      othersReachApi: deps.othersReachApi(),
    };
    enter(nextIsolation(isolation, seen, clock.monotonicMs()));
    yieldWhenOff();
  };

  return {
    stop,
    report: () => condition,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    run: async (signal) => {
      while (!signal.aborted) {
        await look(signal).catch((err: unknown) => log.warn({ err }, 'cannot tell whether the host is isolated'));
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      }
    },
  };
}

const NOBODY = { known: 0, answering: 0 };

const NEVER: ConditionInput = {
  type: 'Isolated',
  status: 'False',
  reason: 'Connected',
  message: 'the agent reaches the API server',
};

const GAVE_UP: ConditionInput = {
  type: 'Isolated',
  status: 'False',
  reason: 'WasIsolated',
  message:
    'in this boot it alone was cut off for a time: it has ended its VMs and given up its lease on storage (HAPolicy, isolationResponse), so that others may run them by now. It serves again',
};

function wasIsolated(
  now: Date,
  lastedMs: number,
  response: HostIsolation['response'] = 'LeavePoweredOn',
  hasYielded: boolean,
): ConditionInput {
  const what = {
    LeavePoweredOn: 'its VMs ran on',
    Shutdown: 'its VMs were shut down',
    PowerOff: 'its VMs were powered off',
  }[response];
  const next =
    response === 'LeavePoweredOn'
      ? ''
      : hasYielded
        ? '. It has given up its lease on storage, so that others may run them by now'
        : '. Those that are still placed here are started again';
  const message = `for ${Math.round(lastedMs / 1000)} s, until ${now.toISOString()}, it reached neither the API server nor another host, and saw on storage that others went on: ${what} (HAPolicy, isolationResponse ${response})${next}`;
  return { type: 'Isolated', status: 'False', reason: 'WasIsolated', message };
}
