import {
  findProcess,
  isRunning,
  type ProcessRecord,
  type ProcessSpec,
  startProcess,
  stopProcess,
} from '../processes.ts';
import { waitUntilReady } from '../ready.ts';
import type { Seen } from '../wait.ts';

/** One server of the control plane, which tests may stop, kill and bring back at will. Its data stays. */
export class ServerProcess {
  readonly #labFolder: string;
  readonly #spec: ProcessSpec;
  readonly #probe: () => Promise<Seen<true>>;
  readonly #readyTimeoutMs: number;

  constructor(labFolder: string, spec: ProcessSpec, probe: () => Promise<Seen<true>>, readyTimeoutMs: number) {
    this.#labFolder = labFolder;
    this.#spec = spec;
    this.#probe = probe;
    this.#readyTimeoutMs = readyTimeoutMs;
  }

  get name(): string {
    return this.#spec.name;
  }

  /** Undefined while it does not run. */
  get process(): ProcessRecord | undefined {
    const record = findProcess(this.#labFolder, this.#spec.name);
    return record && isRunning(record) ? record : undefined;
  }

  /** Starts it, unless it runs, and waits until it serves. */
  async start(onProgress?: (because: string, elapsedMs: number) => void): Promise<void> {
    const record = await startProcess(this.#labFolder, this.#spec);
    await waitUntilReady(record, this.#probe, {
      timeoutMs: this.#readyTimeoutMs,
      ...(onProgress ? { onProgress } : {}),
    });
  }

  /** Lets it end by itself: SIGTERM, and SIGKILL only when it takes too long. */
  async stop(): Promise<void> {
    await stopProcess(this.#labFolder, this.#spec.name, { graceMs: 10_000 });
  }

  /** SIGKILL: what a crash looks like. */
  async kill(): Promise<void> {
    await stopProcess(this.#labFolder, this.#spec.name, { graceMs: 0 });
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }
}
