import type { AskAgent } from '../../../src/controllers/ha/ask-agent.ts';
import type { AskLeases } from '../../../src/controllers/ha/ask-leases.ts';
import type { OpenDevice } from '../../../src/controllers/ha/bmc.ts';
import { createInformers } from '../../../src/controllers/informers.ts';
import { OPERATOR_LEASE, operatorControllers } from '../../../src/controllers/operator.ts';
import type { KubeApi } from '../../../src/kube/index.ts';
import { Manager } from '../../../src/runtime/index.ts';
import { Process, type WallClock } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import { logOf, unseenMetrics } from './silent.ts';

export interface OperatorOptions {
  /** Name of its Deployment's replica. */
  readonly name: string;
  readonly timeline: Timeline;
  readonly clientFor: (process: Process, identity: string) => KubeApi;
  /** How a process of it asks hosts' agents, and reaches their BMCs. */
  readonly askAgentFor: (process: Process) => AskAgent;
  readonly askLeasesFor: (process: Process) => AskLeases;
  readonly openDeviceFor: (process: Process) => OpenDevice;
  readonly onFact: (what: string) => void;
}

/** How soon the kubelet starts it again. */
const RESTART_MS = 2_000;
const LEASE_MS = 15_000;
/** They need real TLS, and decide nothing about VMs. */
const NOT_SIMULATED: readonly string[] = ['usage', 'hostcertificate'];

/** A replica of the operator: the real informers, leader election and controllers. */
export class SimulatedOperator {
  readonly name: string;
  /** Of the machine that it runs on. */
  readonly wallClock: WallClock = { aheadMs: 0 };
  readonly #options: OperatorOptions;
  #process: Process | undefined;
  #starts = 0;
  #isWanted = true;
  /** It has ever stood still. */
  wasPaused = false;

  constructor(options: OperatorOptions) {
    this.name = options.name;
    this.#options = options;
  }

  start(): void {
    if (this.#process !== undefined || !this.#isWanted) return;
    const { timeline, name, clientFor, onFact } = this.#options;
    const process = new Process(name, timeline, this.wallClock);
    const identity = `${name}_${++this.#starts}`;
    this.#process = process;
    const running = this.#run(process, identity, clientFor(process, identity));
    const over = (why: string) => {
      if (this.#process !== process) return;
      onFact(`ended: ${why}`);
      this.#end();
      this.#startLater();
    };
    running.then(over, (error: unknown) => over(error instanceof Error ? error.message : String(error)));
  }

  async #run(process: Process, identity: string, client: KubeApi): Promise<string> {
    const { timeline, onFact } = this.#options;
    const { clock } = process;
    const log = logOf(process, () => timeline.nowMs);
    const metrics = unseenMetrics();
    const onError = (error: unknown) => log.debug({ err: error }, 'a call of the API server failed');
    const informers = createInformers(client, clock, onError);
    const manager = new Manager({
      log,
      metrics,
      clock,
      informers: Object.values(informers),
      leaderElection: { client, lease: OPERATOR_LEASE, identity, leaseDurationMs: LEASE_MS, clock, onError },
      controllers: (leadership) => {
        onFact('leads');
        const options = {
          client,
          identity,
          log,
          metrics,
          clock,
          askAgent: this.#options.askAgentFor(process),
          askLeases: this.#options.askLeasesFor(process),
          openDevice: this.#options.openDeviceFor(process),
        };
        return operatorControllers(options, informers, leadership, onError).filter(
          ({ name }) => !NOT_SIMULATED.includes(name),
        );
      },
    });
    return await manager.run(process.signal);
  }

  /** It loses all its memory; the kubelet starts it again. */
  kill(): void {
    if (this.#process === undefined) return;
    this.#end();
    this.#options.onFact('killed');
    this.#startLater();
  }

  pause(): void {
    this.wasPaused = true;
    this.#process?.pause('process');
    this.#options.onFact('stands still');
  }

  resume(): void {
    this.#options.onFact('goes on');
    this.#process?.resume('process');
  }

  /** It is ended and stays away. */
  remove(): void {
    this.#isWanted = false;
    this.#end();
    this.#options.onFact('removed');
  }

  install(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#startLater();
  }

  #startLater(): void {
    this.#options.timeline.after(RESTART_MS, () => this.start());
  }

  #end(): void {
    this.#process?.kill();
    this.#process = undefined;
  }
}
