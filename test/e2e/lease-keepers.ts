import { join } from 'node:path';
import { Host } from '../../src/api/host.ts';
import type { LabHost } from '../lab/host/lab-host.ts';
import { LabWatchdog } from '../lab/host/watchdog.ts';
import { KEEP_RUNNING } from '../lab/processes.ts';
import { CHECKOUT } from './setup.ts';
import type { Story } from './story.ts';

const KEEPER = 'lease-keeper';
const WATCHDOG_MS = 8_000;

/** A lease keeper on each host of a story, with a watchdog behind it. */
export class LeaseKeepers {
  readonly #story: Story;
  readonly #watchdogs = new Map<string, LabWatchdog>();

  constructor(story: Story) {
    this.#story = story;
  }

  /** Gives a host a watchdog and a keeper, and waits until its silence would prove something. */
  async guard(host: LabHost): Promise<void> {
    const watchdog = new LabWatchdog({
      socketPath: join(host.files.run, 'watchdog'),
      timeoutMs: WATCHDOG_MS,
      reset: () => void host.kill(),
    });
    // Its end takes the socket away, so it comes first.
    this.#watchdogs.get(host.name)?.close();
    await watchdog.listen();
    this.#watchdogs.set(host.name, watchdog);
    const program = join(CHECKOUT, 'src/bin/lease-keeper.ts');
    await host.startProcess({
      name: KEEPER,
      command: KEEP_RUNNING,
      args: [process.execPath, program, '--node-name', host.name, '--watchdog', '/run/watchdog'],
    });
    await this.#story.when(Host, { name: host.name }, 'to be ready to be fenced', ({ status }) =>
      Boolean(status?.conditions.some(({ type, reason }) => type === 'FencingReady' && reason === 'StorageLeaseHeld')),
    );
  }

  resetsOf(host: string): number | undefined {
    return this.#watchdogs.get(host)?.resets;
  }

  async end(): Promise<void> {
    for (const host of this.#story.lab.hosts) {
      await host.stopProcess(KEEPER);
      this.#watchdogs.get(host.name)?.close();
    }
  }
}
