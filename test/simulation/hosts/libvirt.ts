import type {
  CallName,
  CallParameters,
  ClientEvents,
  EventName,
  EventOf,
  Libvirt,
  ReplyOf,
} from '../../../src/libvirt/index.ts';
import { LibvirtTransportError } from '../../../src/libvirt/index.ts';
import type { Process } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import type { DaemonEvent } from './hypervisor.ts';
import { type DaemonScope, PROCEDURES } from './procedures.ts';

/** Each way of a call, in milliseconds. */
const WAY_MS = 1;
const TIMEOUT_MS = 30_000;

/** A host's libvirt daemon, which may be away. */
export interface Daemon {
  /** Undefined: none runs. */
  readonly scope: DaemonScope | undefined;
  /** Told when a daemon begins to answer, and when it ends. */
  onChange(listener: (scope: DaemonScope | undefined) => void): () => void;
}

/** libvirt, as one agent reaches the daemon of its host. */
export function simulatedLibvirt(daemon: Daemon, agent: Process, timeline: Timeline): Libvirt {
  const listeners: { [E in keyof ClientEvents]: Set<(...details: ClientEvents[E]) => void> } = {
    connected: new Set(),
    disconnected: new Set(),
    eventsMissed: new Set(),
  };
  const onEvent = { lifecycle: new Set<(event: never) => void>(), agentLifecycle: new Set<(event: never) => void>() };
  /** Events that are on their way, in the daemon's order. */
  const underWay: DaemonEvent[] = [];
  let endEvents: (() => void) | undefined;
  const subscribe = (scope: DaemonScope | undefined) => {
    endEvents?.();
    endEvents = scope?.hypervisor.onEvent((event) => {
      underWay.push(event);
      timeline.after(WAY_MS, () => {
        agent.deliver(() => {
          const next = underWay.shift();
          if (next !== undefined) tell(onEvent[next.name], next.event as never);
        });
      });
    });
  };
  let goneAtMs = timeline.nowMs;
  subscribe(daemon.scope);
  const end = daemon.onChange((scope) => {
    if (scope === undefined) {
      goneAtMs = timeline.nowMs;
      underWay.length = 0;
      endEvents?.();
      const error = new LibvirtTransportError('lost', 'the connection to the daemon broke', { mayHaveRun: true });
      agent.deliver(() => tell(listeners.disconnected, { error }));
      return;
    }
    subscribe(scope);
    const gapMs = timeline.nowMs - goneAtMs;
    agent.deliver(() => {
      for (const listener of listeners.connected) listener();
      tell(listeners.eventsMissed, { gapMs });
    });
  });
  agent.onKill(() => {
    end();
    endEvents?.();
  });

  return {
    get connected() {
      return daemon.scope !== undefined;
    },
    call: <N extends CallName>(name: N, ...parameters: CallParameters<N>) =>
      call(daemon, agent, timeline, name, parameters),
    stream: (...[name]) => Promise.reject(new Error(`${name} is not simulated`)),
    events: {
      async on<N extends EventName>(name: N, listener: (event: EventOf<N>) => void): Promise<() => void> {
        await agent.spend(2 * WAY_MS);
        // No other events does the simulated daemon send.
        const asked: EventName = name;
        const listeners = asked === 'lifecycle' || asked === 'agentLifecycle' ? onEvent[asked] : undefined;
        listeners?.add(listener);
        return () => listeners?.delete(listener);
      },
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
    close: () => Promise.resolve(),
  };
}

function tell<T>(listeners: Iterable<(detail: T) => void>, detail: T): void {
  for (const listener of listeners) listener(detail);
}

function call<N extends CallName>(
  daemon: Daemon,
  agent: Process,
  timeline: Timeline,
  name: N,
  [args, options]: CallParameters<N>,
): Promise<ReplyOf<N>> {
  const { promise, resolve, reject } = Promise.withResolvers<ReplyOf<N>>();
  if (agent.isDead) return promise;
  const { timeoutMs = TIMEOUT_MS, signal } = options ?? {};
  let isSettled = false;
  let wasSent = false;
  let endWaiting: (() => void) | undefined;
  const settle = (how: () => void) => {
    if (isSettled) return;
    isSettled = true;
    timer?.cancel();
    endWaiting?.();
    signal?.removeEventListener('abort', onAbort);
    how();
  };
  const fail = (reason: 'timeout' | 'aborted' | 'lost' | 'unreachable') =>
    settle(() => reject(new LibvirtTransportError(reason, `${name}: ${reason}`, { mayHaveRun: wasSent })));
  const onAbort = () => fail('aborted');
  const timer =
    timeoutMs === 0 ? undefined : agent.clock.setTimeout(() => fail(wasSent ? 'timeout' : 'unreachable'), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });

  const send = (scope: DaemonScope) => {
    wasSent = true;
    const procedure = PROCEDURES[name];
    if (procedure === undefined) return reject(new Error(`${name} is not simulated`));
    scope.daemon.onKill(() => agent.deliver(() => fail('lost')));
    const answer = (how: () => void) => timeline.after(WAY_MS, () => agent.deliver(() => settle(how)));
    timeline.after(WAY_MS, () => {
      scope.daemon.deliver(() => {
        // Errors of the procedure itself and of the work that it begins are answered alike.
        (async () => await procedure(scope, (args ?? {}) as Parameters<typeof procedure>[1]))().then(
          (reply) => answer(() => resolve(reply)),
          (error: unknown) => answer(() => reject(error)),
        );
      });
    });
  };
  // Calls wait for a daemon that is away, until their limit.
  if (daemon.scope !== undefined) send(daemon.scope);
  else {
    endWaiting = daemon.onChange((scope) => {
      if (scope === undefined) return;
      endWaiting?.();
      endWaiting = undefined;
      agent.deliver(() => send(scope));
    });
  }
  return promise;
}
