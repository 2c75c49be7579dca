import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import { bridgeName } from '../../api/common/bridge-name.ts';
import type { HostStatus } from '../../api/host.ts';
import type { VirtualSwitch } from '../../api/network.ts';
import type { InstanceNic, VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { NicPort } from '../../domain/index.ts';
import {
  type BridgeVerdict,
  type BridgeWish,
  ensureBridge,
  type Network,
  removeUnusedBridges,
  ToolError,
} from '../../host/index.ts';
import type { SharedInformer } from '../../kube/index.ts';
import { type Clock, CodedError, type Metrics } from '../../runtime/index.ts';
import { Repeat } from '../repeat.ts';

export interface SwitchesDependencies {
  /** All VirtualSwitches. */
  readonly switches: SharedInformer<VirtualSwitch>;
  /** VirtualMachineInstances whose spec names this host: what they are plugged into stays. */
  readonly instances: SharedInformer<VirtualMachineInstance>;
  /** The same that move to this host. */
  readonly incoming: SharedInformer<VirtualMachineInstance>;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How often interfaces are looked at although nothing changed. Absent: 30 s. */
  readonly intervalMs?: number;
}

export type HostSwitch = HostStatus['switches'][number];

/** The host's half of every VirtualSwitch: its bridges. */
export interface Switches {
  /** Keeps a bridge for every VirtualSwitch, and removes those of switches that are gone, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Makes sure that the bridge of a NIC is there; to be called before its domain is started.
   * @throws CodedError `ReferenceNotFound` or `HostUnavailable`, with what to do.
   */
  portOf(nic: Pick<InstanceNic, 'virtualSwitchName' | 'vlan'>, signal?: AbortSignal): Promise<NicPort>;
  /** For Host.status, sorted by name. */
  report(): HostSwitch[];
  /** Resolves when every VirtualSwitch was looked at once. */
  readonly complete: Promise<void>;
  /** Calls the listener when `report()` would say something else. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

const INTERVAL_MS = 30_000;

export function watchSwitches(deps: SwitchesDependencies): Switches {
  return new SwitchWatch(deps);
}

class SwitchWatch implements Switches {
  readonly #first = Promise.withResolvers<void>();
  readonly complete = this.#first.promise;
  readonly #deps: SwitchesDependencies;
  readonly #listeners = new Set<() => void>();
  #shown: readonly HostSwitch[] = [];
  /** Interfaces are read and changed by one at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: SwitchesDependencies) {
    this.#deps = deps;
    const shown = () => this.#shown;
    new Gauge({
      name: 'drover_switch_available',
      help: '1 while NICs can be plugged into the VirtualSwitch on this host.',
      labelNames: ['switch'],
      registers: [deps.metrics.registry],
      collect() {
        this.reset();
        for (const { name, available } of shown()) this.set({ switch: name }, available ? 1 : 0);
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { switches, instances, clock, log, intervalMs = INTERVAL_MS } = this.#deps;
    const repeat = new Repeat({
      intervalMs,
      clock,
      pass: async () => {
        await Promise.all([switches.synced(signal), instances.synced(signal)]);
        await this.#pass(signal);
      },
      onError: (error) => log.error({ err: error }, 'cannot look at the bridges; trying again'),
    });
    const stopListening = switches.onChange(() => repeat.wake());
    await repeat.run(signal);
    stopListening();
  }

  async portOf(
    { virtualSwitchName, vlan }: Pick<InstanceNic, 'virtualSwitchName' | 'vlan'>,
    signal?: AbortSignal,
  ): Promise<NicPort> {
    const found = this.#deps.switches.get(virtualSwitchName);
    if (found === undefined) {
      throw new CodedError('ReferenceNotFound', `VirtualSwitch "${virtualSwitchName}" does not exist; make it`);
    }
    const wish = wishOf(found, vlan);
    const verdict = await this.#alone(() => ensureBridge(this.#deps.network, wish, signal));
    if (verdict.ok) return { bridge: wish.bridge, mtuBytes: wish.mtuBytes };
    const message = `VirtualSwitch "${virtualSwitchName}" (${verdict.reason}): ${verdict.message}`;
    throw new CodedError('HostUnavailable', message);
  }

  report(): HostSwitch[] {
    return [...this.#shown];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const shown: HostSwitch[] = [];
    for (const virtualSwitch of this.#deps.switches.list()) {
      const verdict = await this.#alone(() => this.#ensure(virtualSwitch, signal));
      const { name } = virtualSwitch.metadata;
      shown.push({ name, available: verdict.ok, message: verdict.ok ? '' : verdict.message.slice(0, 1024) });
    }
    this.#show(shown);
    this.#first.resolve();
    const removed = await this.#alone(() =>
      removeUnusedBridges(this.#deps.network, ({ name, vlan }) => this.#isWanted(name, vlan), signal),
    );
    if (removed.length > 0) this.#deps.log.info({ bridges: removed }, 'removed bridges of switches that are gone');
  }

  /** Bridges of VLANs are made when a VM needs them. What a pass finds out about a switch it reports, and goes on. */
  async #ensure(
    virtualSwitch: VirtualSwitch,
    signal: AbortSignal,
  ): Promise<BridgeVerdict | { ok: false; message: string }> {
    try {
      return await ensureBridge(this.#deps.network, wishOf(virtualSwitch, undefined), signal);
    } catch (error) {
      if (!(error instanceof ToolError) || signal.aborted) throw error;
      return { ok: false, message: error.message };
    }
  }

  /**
   * A bridge goes when its switch is gone and no VM of this host is meant to be plugged into it, whether it runs by now
   * or not; the bridge itself says whether one is.
   */
  #isWanted(bridge: string, vlan: number | undefined): boolean {
    const { switches, instances, incoming } = this.#deps;
    if (switches.list().some(({ metadata }) => bridgeName(metadata.name, vlan) === bridge)) return true;
    return [...instances.list(), ...incoming.list()].some(({ spec }) =>
      spec.nics.some((nic) => bridgeName(nic.virtualSwitchName, nic.vlan) === bridge),
    );
  }

  #show(shown: readonly HostSwitch[]): void {
    if (JSON.stringify(shown) === JSON.stringify(this.#shown)) return;
    this.#shown = shown;
    for (const { name, available, message } of shown) {
      if (!available) this.#deps.log.warn({ switch: name, message }, 'the host cannot have the switch');
    }
    for (const listener of this.#listeners) listener();
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return await mine;
  }
}

function wishOf({ metadata, spec }: VirtualSwitch, vlan: number | undefined): BridgeWish {
  const { name } = metadata;
  return { bridge: bridgeName(name, vlan), switchName: name, vlan, uplink: spec.uplink, mtuBytes: spec.mtu };
}
