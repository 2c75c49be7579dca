import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';

export interface LabWatchdogOptions {
  /** Where the host finds it. */
  readonly socketPath: string;
  readonly timeoutMs: number;
  /** The reset line. */
  readonly reset: () => void;
  readonly log?: (line: string) => void;
}

/**
 * What resets a lab host that feeds it no more? It stands outside of the host, as a watchdog's own clock does, and does what a driver with
 * "magic close" does: whoever connects arms it; one that is gone without having written V leaves it counting.
 */
export class LabWatchdog {
  readonly #options: LabWatchdogOptions;
  readonly #server: Server;
  #timer: NodeJS.Timeout | undefined;
  #resets = 0;

  constructor(options: LabWatchdogOptions) {
    this.#options = options;
    this.#server = createServer((socket) => {
      this.#feed();
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        if (bytes.includes('V')) this.#stop();
        else this.#feed();
      });
      socket.write(`timeout ${options.timeoutMs}\n`);
    });
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#options;
    mkdirSync(dirname(socketPath), { recursive: true });
    rmSync(socketPath, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject).listen(socketPath, resolve);
    await promise;
    chmodSync(socketPath, 0o600);
  }

  /** Whether it counts. */
  get isArmed(): boolean {
    return this.#timer !== undefined;
  }

  /** How often it has reset the host. */
  get resets(): number {
    return this.#resets;
  }

  close(): void {
    this.#stop();
    this.#server.close();
  }

  #feed(): void {
    this.#stop();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#resets++;
      this.#options.log?.('it was not fed: resetting the host');
      this.#options.reset();
    }, this.#options.timeoutMs);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
