import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  KindRef,
  KubeApi,
  ListOptions,
  ObjectList,
  ObjectRef,
  PatchBody,
  PatchOptions,
  WatchEvent,
  WatchOptions,
  WriteGuard,
  WriteOptions,
} from '../../../src/kube/index.ts';
import { KubeError, type KubeObject, keyOfRef } from '../../../src/kube/index.ts';
import type { Process } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import { type Admission, refuseEarlierEpoch, refuseEarlierTerm } from './admission.ts';
import { type Link, RETRANSMIT_MS } from './link.ts';
import { selectorOf } from './selector.ts';
import type { ApiServer } from './server.ts';
import { openWatch } from './watch.ts';

/** As the real client's default. */
const TIMEOUT_MS = 15_000;

export interface ClientOptions {
  readonly server: ApiServer;
  readonly timeline: Timeline;
  readonly link: Link;
  readonly process: Process;
  readonly admission: Admission;
}

/** The API server as one process of the simulated world reaches it. */
export class SimulatedClient implements KubeApi {
  readonly #options: ClientOptions;
  readonly #guard: WriteGuard | undefined;

  constructor(options: ClientOptions, guard?: WriteGuard) {
    this.#options = options;
    this.#guard = guard;
  }

  guardedBy(guard: WriteGuard): KubeApi {
    return new SimulatedClient(this.#options, guard);
  }

  async get<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef, options: CallOptions = {}): Promise<T> {
    return await this.#read(named('get', kind, ref), options, () => as<T>(this.#options.server.get(kind, ref)));
  }

  async list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const { server } = this.#options;
    return await this.#read(`list ${kind.plural}`, options, () => ({
      items: server
        .list(kind)
        .filter(selectorOf(options))
        .map(as<T>),
      resourceVersion: String(server.version),
    }));
  }

  async create<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: WriteOptions = {}): Promise<T> {
    return await this.#write('create', kind, object.metadata, undefined, options, () =>
      as<T>(this.#options.server.create(kind, object)),
    );
  }

  async update<T extends KubeObject>(kind: KindRef<T>, object: NoInfer<T>, options: WriteOptions = {}): Promise<T> {
    return await this.#write('update', kind, object.metadata, undefined, options, () =>
      as<T>(this.#options.server.update(kind, object)),
    );
  }

  async apply<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: ApplyOptions): Promise<T> {
    return await this.#apply<T>(kind, object, options, undefined);
  }

  async applyStatus<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: ApplyOptions): Promise<T> {
    return await this.#apply<T>(kind, object, options, 'status');
  }

  async patch<T extends KubeObject>(
    kind: KindRef<T>,
    ref: ObjectRef,
    patch: PatchBody,
    options: PatchOptions = {},
  ): Promise<T> {
    return await this.#write('patch', kind, ref, options.subresource === 'status' ? 'status' : undefined, options, () =>
      as<T>(this.#options.server.patch(kind, ref, patch, options.subresource)),
    );
  }

  async delete(kind: KindRef, ref: ObjectRef, options: DeleteOptions = {}): Promise<boolean> {
    return await this.#write('delete', kind, ref, undefined, options, () =>
      this.#options.server.delete(kind, ref, options),
    );
  }

  watch<T extends KubeObject>(kind: KindRef<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined> {
    return openWatch<T>(this.#options, kind, options);
  }

  async raw(): Promise<unknown> {
    throw new Error('raw calls are not simulated');
  }

  async #apply<T extends KubeObject>(
    kind: KindRef<T>,
    object: KubeObject,
    { fieldManager, force = false, ...options }: ApplyOptions,
    subresource: 'status' | undefined,
  ): Promise<T> {
    const { server } = this.#options;
    return await this.#write('apply', kind, object.metadata, subresource, options, () => {
      refuseEarlierTerm(server, kind, object);
      refuseEarlierEpoch(server, kind, object);
      return as<T>(server.apply(kind, object, { fieldManager, force, subresource }));
    });
  }

  async #read<T>(what: string, options: CallOptions, answer: () => T): Promise<T> {
    const signals = options.signal === undefined ? [] : [options.signal];
    return await this.#send(what, options.timeoutMs ?? TIMEOUT_MS, signals, false, answer);
  }

  async #write<T>(
    verb: string,
    kind: KindRef,
    ref: ObjectRef,
    subresource: 'status' | undefined,
    options: CallOptions,
    answer: () => T,
  ): Promise<T> {
    const what = named(verb, kind, ref, subresource);
    const { admission } = this.#options;
    const admitted = () => {
      admission(kind, ref, subresource);
      return answer();
    };
    const signals = options.signal === undefined ? [] : [options.signal];
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    if (this.#guard === undefined) return await this.#send(what, timeoutMs, signals, true, admitted);
    const leftMs = this.#guard.remainingMs(what);
    return await this.#send(what, Math.min(timeoutMs, leftMs), [...signals, this.#guard.signal], true, admitted);
  }

  /** The way there, what the server does, and the way back; each may come to nothing. */
  #send<T>(
    what: string,
    timeoutMs: number,
    signals: readonly AbortSignal[],
    isWrite: boolean,
    answer: () => T,
  ): Promise<T> {
    const { timeline, link, process } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // A process that is no more asks for nothing.
    if (process.isDead) return promise;
    let isSettled = false;
    const settle = (how: () => void) => {
      if (isSettled) return;
      isSettled = true;
      timer.cancel();
      for (const signal of signals) signal.removeEventListener('abort', onAbort);
      how();
    };
    const fail = (reason: string) =>
      settle(() => reject(new KubeError({ code: 0, reason, message: `${what}: ${reason}` })));
    const onAbort = () => {
      const lost = signals.find((signal) => signal.aborted)?.reason;
      if (lost instanceof KubeError) settle(() => reject(lost));
      else fail('Aborted');
    };
    const timer = process.clock.setTimeout(() => fail('Timeout'), timeoutMs);
    const sentUntilMs = timeline.nowMs + timeoutMs;
    // What a link drops is sent again, each time after twice as long, as TCP does: it arrives some time after the link is mended.
    const transmit = (arrive: () => void, againMs = RETRANSMIT_MS) => {
      if (link.faults.state === 'Refused') return process.deliver(() => fail('Unreachable'));
      if (link.faults.state === 'Open') return arrive();
      if (!process.isDead && timeline.nowMs < sentUntilMs) timeline.after(againMs, () => transmit(arrive, 2 * againMs));
    };
    const back = (how: () => void) => {
      timeline.after(link.halfTripMs(), () => transmit(() => process.deliver(() => settle(how))));
    };
    const arrive = () => {
      // The server has been told how long the client waits: it does nothing for one that has gone.
      if (timeline.nowMs >= sentUntilMs || (process.isDead && !isWrite)) return;
      if (isWrite && link.failsWrite()) {
        const error = new KubeError({ code: 500, reason: 'InternalError', message: `${what}: etcd did not answer` });
        return back(() => reject(error));
      }
      const isLost = isWrite && link.losesAnswer();
      try {
        const result = answer();
        if (!isLost) back(() => resolve(result));
      } catch (error) {
        if (!isLost) back(() => reject(error));
      }
    };
    if (signals.some((signal) => signal.aborted)) onAbort();
    else {
      for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
      timeline.after(link.halfTripMs(), () => transmit(arrive));
    }
    return promise;
  }
}

/** The server holds every object to its schema; who asks for a kind gets objects of it. */
function as<T extends KubeObject>(object: KubeObject): T {
  return object as T;
}

function named(verb: string, kind: KindRef, ref: ObjectRef, subresource?: string): string {
  return `${verb} ${kind.plural}${subresource === undefined ? '' : `/${subresource}`} ${keyOfRef(ref)}`;
}
