import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatastoreError } from './error.ts';
import { Answer, READY_ID } from './messages.ts';
import { VERBS, type VerbArgs, type VerbName, type VerbResult } from './verbs.ts';

export interface DatastoreFilesOptions {
  /** How long the process stays without work. Absent: 3 s. */
  idleMs?: number;
  /** How long one call may take unless it says otherwise. Absent: 10 s. */
  timeoutMs?: number;
}

interface Pending {
  readonly what: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Absent: not sent yet. */
  timer?: NodeJS.Timeout;
}

interface Worker {
  readonly process: ChildProcess;
  /** Resolves when it takes requests. */
  readonly ready: PromiseWithResolvers<void>;
}

const IDLE_MS = 3_000;
/** Starting takes tens of milliseconds, and says nothing about the file system however long a busy machine needs. */
const START_TIMEOUT_MS = 60_000;
const TIMEOUT_MS = 10_000;
const CHILD = fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url));

/**
 * File operations on one datastore, in a process of their own: system calls on a file system whose server is gone do not
 * return, and a few of them would block every other file operation of the agent (Node has four threads for all). Here
 * they block that process only, which is killed; it starts when it is needed and ends when it is idle. While a killed
 * one has not gone yet, because the kernel does not let it, calls fail at once instead of piling up.
 */
export class DatastoreFiles {
  readonly #options: Required<DatastoreFilesOptions>;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #hung: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;

  constructor(options: DatastoreFilesOptions = {}) {
    this.#options = { idleMs: options.idleMs ?? IDLE_MS, timeoutMs: options.timeoutMs ?? TIMEOUT_MS };
  }

  /** @throws DatastoreError */
  async call<N extends VerbName>(
    verb: N,
    args: VerbArgs<N>,
    timeoutMs = this.#options.timeoutMs,
  ): Promise<VerbResult<N>> {
    if (this.#hung) throw new DatastoreError('Hung', `the file system has not answered an earlier call yet (${verb})`);
    const worker = this.#start();
    clearTimeout(this.#idle);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { what: verb, resolve, reject });
    });
    void worker.ready.promise.then(() => this.#send(worker, id, { verb, args }, timeoutMs));
    return VERBS[verb].result.parse(await answer) as VerbResult<N>;
  }

  /** Ends the process; calls under way fail. */
  close(): void {
    clearTimeout(this.#idle);
    this.#worker?.process.kill('SIGKILL');
    this.#worker = undefined;
    this.#rejectAll(new DatastoreError('Failed', 'the agent is stopping'));
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const child = fork(CHILD, [], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const worker = { process: child, ready: Promise.withResolvers<void>() };
    const limit = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
    void worker.ready.promise.then(() => clearTimeout(limit));
    child.on('message', (message) => this.#onMessage(worker, message));
    child.once('error', (error) => this.#onEnd(worker, error));
    child.once('exit', (status, signal) => {
      clearTimeout(limit);
      this.#onEnd(worker, new Error(`it ended (${signal ?? `status ${status}`})`));
    });
    this.#worker = worker;
    return worker;
  }

  /** The time for an answer counts from here. */
  #send(worker: Worker, id: number, request: { verb: VerbName; args: unknown }, timeoutMs: number): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    pending.timer = setTimeout(() => this.#onTimeout(request.verb, timeoutMs), timeoutMs);
    worker.process.send({ id, ...request }, (error) => {
      if (error) this.#settle(id, ({ reject }) => reject(this.#lost(request.verb, error)));
    });
  }

  /** What is no answer shows that the process is broken: another one takes its place. */
  #onMessage(worker: Worker, message: unknown): void {
    const answer = Answer.safeParse(message);
    if (!answer.success) worker.process.kill('SIGKILL');
    else if (answer.data.id === READY_ID) worker.ready.resolve();
    else this.#onAnswer(answer.data);
  }

  #onAnswer(answer: Answer): void {
    this.#settle(answer.id, (pending) => {
      if (!('error' in answer)) pending.resolve(answer.result);
      else pending.reject(new DatastoreError(answer.error.failure, answer.error.message, { code: answer.error.code }));
    });
    if (this.#pending.size > 0) return;
    this.#idle = setTimeout(() => this.#endIdleWorker(), this.#options.idleMs);
    this.#idle.unref();
  }

  #endIdleWorker(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.process.disconnect();
  }

  #onTimeout(verb: string, timeoutMs: number): void {
    this.#hung = this.#worker;
    this.#worker = undefined;
    this.#hung?.process.kill('SIGKILL');
    this.#rejectAll(
      new DatastoreError(
        'Hung',
        `the file system did not answer within ${timeoutMs / 1000} s (${verb}); check its server`,
      ),
    );
  }

  #onEnd(worker: Worker, error: Error): void {
    if (this.#hung === worker) this.#hung = undefined;
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const [id, { what }] of this.#pending) {
      this.#settle(id, (pending) => pending.reject(this.#lost(what, error)));
    }
  }

  #rejectAll(error: DatastoreError): void {
    for (const id of this.#pending.keys()) this.#settle(id, (pending) => pending.reject(error));
  }

  #settle(id: number, how: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    how(pending);
  }

  #lost(verb: string, cause: Error): DatastoreError {
    return new DatastoreError('Failed', `${verb}: lost the process that works on the datastore: ${cause.message}`, {
      cause,
    });
  }
}
