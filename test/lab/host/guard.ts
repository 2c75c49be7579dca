import { join } from 'node:path';
import { KEEP_RUNNING } from '../processes.ts';
import type { LabHost } from './lab-host.ts';
import { LabWatchdog } from './watchdog.ts';

const KEEPER = 'lease-keeper';
const WATCHDOG_MS = 8_000;

/** What proves that a host without BMC is off: a watchdog that resets it, and the keeper of its lease on storage that feeds it. */
export class Guard {
  readonly watchdog: LabWatchdog;
  readonly #host: LabHost;

  private constructor(host: LabHost) {
    this.#host = host;
    this.watchdog = new LabWatchdog({
      socketPath: join(host.files.run, 'watchdog'),
      timeoutMs: WATCHDOG_MS,
      reset: () => void host.kill(),
    });
  }

  /** A guard ends with the boot of its host, whose /run is emptied. */
  static async start(host: LabHost, checkout: string): Promise<Guard> {
    const guard = new Guard(host);
    await guard.watchdog.listen();
    const program = join(checkout, 'src/bin/lease-keeper.ts');
    await host.startProcess({
      name: KEEPER,
      command: KEEP_RUNNING,
      args: [process.execPath, program, '--node-name', host.name, '--watchdog', '/run/watchdog'],
    });
    return guard;
  }

  /** Stops both; guests run on. */
  async end(): Promise<void> {
    await this.#host.stopProcess(KEEPER);
    this.watchdog.close();
  }
}
