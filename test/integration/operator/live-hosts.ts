import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from '../../../src/api/cluster.ts';
import type { World } from './world.ts';

/** As often as the shortest silence that a policy can notice (4 s) allows a beat to be lost. */
const BEAT_EVERY_MS = 1_000;

interface Life {
  readonly cluster: string | undefined;
  readonly over: AbortController;
  /** Resolves when nothing is on its way any more. */
  readonly ended: Promise<void>;
}

/**
 * Hosts that renew their leases as their agents would, until they are silenced. Each waits for the answer to its last
 * beat before the next: what the API server cannot keep up with must not pile up before it.
 */
export class LiveHosts {
  readonly #world: World;
  readonly #lives = new Map<string, Life>();

  constructor(world: World) {
    this.#world = world;
  }

  /** The host lives, also when it did before, until it is silenced or its Cluster is done with. */
  async start(host: string, cluster?: string): Promise<void> {
    await this.#end([host]);
    const over = new AbortController();
    const ended = this.#live(host, over.signal);
    // Told to whoever silences it; until then nobody waits for it.
    ended.catch(() => undefined);
    this.#lives.set(host, { cluster, over, ended });
  }

  /**
   * The hosts fall silent, all in the same moment: each has beaten once more with the others, however long they took
   * for the beats before.
   */
  async silence(...hosts: readonly string[]): Promise<void> {
    await this.#end(hosts);
    await Promise.all(hosts.map((host) => this.#world.beat(host)));
  }

  /**
   * Ends the hosts of a test that is over, and the high availability of their Cluster: neither their beats nor what would
   * be done about their silence shall take the time of the tests that are left.
   */
  async retire(cluster: string): Promise<void> {
    const body = { spec: { ha: { enabled: false } } };
    await this.#world.client.patch(Cluster, { name: cluster }, { type: 'merge', body });
    await this.#end([...this.#lives].filter(([, life]) => life.cluster === cluster).map(([host]) => host));
  }

  async close(): Promise<void> {
    await this.#end([...this.#lives.keys()]);
  }

  /** @throws what a beat has failed by: the host fell silent then, though no test had said so */
  async #end(hosts: readonly string[]): Promise<void> {
    const lives = hosts.flatMap((host) => this.#lives.get(host) ?? []);
    for (const host of hosts) this.#lives.delete(host);
    for (const { over } of lives) over.abort();
    await Promise.all(lives.map(({ ended }) => ended));
  }

  async #live(host: string, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const nextMs = performance.now() + BEAT_EVERY_MS;
      await this.#world.beat(host);
      await sleep(Math.max(0, nextMs - performance.now()), undefined, { signal: over }).catch(() => undefined);
    }
  }
}

type MakeCluster<Setup extends readonly unknown[]> = (name: string, ...setup: Setup) => Promise<string[]>;

/** What a test makes Clusters with, which are done with when that test is, whatever tests run beside it. */
export function clusterFixture<Setup extends readonly unknown[]>(
  make: MakeCluster<Setup>,
  alive: () => LiveHosts,
): (context: object, use: (cluster: MakeCluster<Setup>) => Promise<void>) => Promise<void> {
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern which fixtures this one needs.
  return async ({}, use) => {
    const made: string[] = [];
    await use(async (name, ...setup) => {
      const hosts = await make(name, ...setup);
      made.push(name);
      return hosts;
    });
    for (const name of made) await alive().retire(name);
  };
}
