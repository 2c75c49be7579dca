import { request } from 'undici';
import { bmcOf, type LabBmc, letBmcLie, letBmcTellTheTruth, plugBmc, unplugBmc } from './bmc/bmcs.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { openControlPlane } from './control-plane/start.ts';
import type { LabCpu } from './host/cpu.ts';
import { type LabHost, listHosts } from './host/lab-host.ts';
import type { LabIdentity } from './identity.ts';
import { stopProcess } from './processes.ts';
import { AGENT, agentIsReady, OPERATOR, startAgent, startOperator } from './product.ts';
import { findIdentity } from './slots.ts';

/**
 * A lab that is up: a whole Drover cluster on one machine, and what can happen to it.
 *
 * It holds no state of its own: any process can open the lab and go on with it.
 */
export class Lab {
  readonly identity: LabIdentity;
  readonly controlPlane: ControlPlane;

  constructor(identity: LabIdentity, controlPlane: ControlPlane) {
    this.identity = identity;
    this.controlPlane = controlPlane;
  }

  /** Hosts with and without power, in the order of their numbers. */
  get hosts(): LabHost[] {
    return listHosts(this.identity);
  }

  /** @throws when the lab has no such host; names those it has. */
  host(name: string): LabHost {
    const found = this.hosts.find((host) => host.name === name);
    if (found) return found;
    throw new Error(`The lab has no host "${name}". It has: ${this.hosts.map((host) => host.name).join(', ')}`);
  }

  /** A power failure: everything in the host dies at once, its VMs too. */
  async killHost(name: string): Promise<void> {
    await this.host(name).kill();
  }

  /** Powers the host off in good order: agent and libvirtd may end by themselves. Its VMs are not asked. */
  async powerOff(name: string): Promise<void> {
    const host = this.host(name);
    await host.stopProcess(AGENT);
    await host.stopLibvirtd();
    await host.kill();
  }

  /** Powers the host on. As on a real one, libvirtd and agent come up by themselves. */
  async powerOn(name: string): Promise<void> {
    const host = this.host(name);
    await host.powerOn();
    await this.startAgent(name);
  }

  /** Powers the host off, and on again with another CPU; undefined: that of the machine. */
  async setCpu(name: string, cpu: LabCpu | undefined): Promise<void> {
    await this.powerOff(name);
    this.host(name).setCpu(cpu);
    await this.powerOn(name);
  }

  /**
   * Sets the wall clock of the host, as by hand or by a time server that is wrong. libvirtd and the agent start anew if it has none of its own yet, or no more.
   * @param aheadSeconds of the right time, below zero behind it; undefined: it is right again
   */
  async setClock(name: string, aheadSeconds: number | undefined): Promise<void> {
    const host = this.host(name);
    const isSeen = host.hasOwnClock() && aheadSeconds !== undefined;
    host.setClock(aheadSeconds);
    if (isSeen || !host.hasPower()) return;
    await host.restartLibvirtd();
    await this.restartAgent(name);
  }

  /** Unplugs every cable of the host. It stays so, over power cycles, until `heal`. */
  async cut(name: string): Promise<void> {
    await this.host(name).cut();
  }

  async heal(name: string): Promise<void> {
    await this.host(name).heal();
  }

  /** The host alone does not see the shared datastore any more, until `bringDatastoreBack` or its next boot. */
  async loseDatastore(name: string): Promise<void> {
    await this.host(name).loseDatastore();
  }

  async bringDatastoreBack(name: string): Promise<void> {
    await this.host(name).bringDatastoreBack();
  }

  /** The host hangs: nothing in it runs, nothing answers for it, and it keeps its power. */
  async freeze(name: string): Promise<void> {
    await this.host(name).freeze();
  }

  async thaw(name: string): Promise<void> {
    await this.host(name).thaw();
  }

  /** How to reach the BMC of the host. */
  async bmc(name: string): Promise<LabBmc> {
    return await bmcOf(this.identity, this.host(name).index);
  }

  /** The BMC of the host answers nothing any more, until `plugBmc`. The host runs on. */
  async unplugBmc(name: string): Promise<void> {
    await unplugBmc(this.identity, this.host(name).index);
  }

  async plugBmc(name: string): Promise<void> {
    await plugBmc(this.identity, this.host(name).index);
  }

  /** The BMC of the host says that it is off, whatever it does, and switches nothing off, until `letBmcTellTheTruth`. */
  letBmcLie(name: string): void {
    letBmcLie(this.identity, this.host(name).index);
  }

  letBmcTellTheTruth(name: string): void {
    letBmcTellTheTruth(this.identity, this.host(name).index);
  }

  /** @param how `killed` gives it no time to say goodbye. */
  async restartLibvirtd(name: string, how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.host(name).restartLibvirtd(how);
  }

  /** Starts the agent unless it runs. Does not wait for it: on a host that is cut off it can do nothing yet. */
  async startAgent(name: string): Promise<void> {
    await startAgent(this.host(name), this.controlPlane);
  }

  /** Starts the agents that do not run, and waits until all are ready. No host may be off or cut off. */
  async startAgents(): Promise<void> {
    await Promise.all(this.hosts.map(async (host) => agentIsReady(host, await startAgent(host, this.controlPlane))));
  }

  async stopAgent(name: string, how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.host(name).stopProcess(AGENT, graceMs(how));
  }

  async restartAgent(name: string, how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.stopAgent(name, how);
    await this.startAgent(name);
  }

  /** Starts the operator unless it runs. */
  async startOperator(): Promise<void> {
    await startOperator(this.identity, this.controlPlane);
  }

  async stopOperator(how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await stopProcess(this.identity.folder, OPERATOR, { graceMs: graceMs(how) });
  }

  async restartOperator(how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.stopOperator(how);
    await this.startOperator();
  }

  /** What the operator serves for Prometheus. */
  async operatorMetrics(): Promise<string> {
    const { body } = await request(`http://127.0.0.1:${this.identity.ports.operator}/metrics`);
    return await body.text();
  }

  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await this.controlPlane.kubectl(args, input);
  }

  /** Lets go of the connections, so that the calling program can end. The lab runs on. */
  async close(): Promise<void> {
    await this.controlPlane.close();
  }
}

/** Long enough for a process that drains what it has begun. */
const GRACE_MS = 30_000;

function graceMs(how: 'asked' | 'killed'): number {
  return how === 'killed' ? 0 : GRACE_MS;
}

/** The lab of this checkout, to drive it from another process. @throws when it is not up. */
export async function openLab(checkout: string, instance: string): Promise<Lab> {
  const identity = findIdentity(checkout, instance);
  if (!identity) {
    throw new Error(`The lab "${instance}" of ${checkout} is not up. Bring it up with "make lab".`);
  }
  return new Lab(identity, await openControlPlane(labControlPlane(identity)));
}

/** How every lab sets up its control plane: reachable from its hosts, with the controllers that any cluster has. */
export function labControlPlane(identity: LabIdentity) {
  return { identity, address: identity.subnet.gateway, controllerManager: true } as const;
}
