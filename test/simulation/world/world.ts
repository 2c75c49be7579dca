import { KINDS } from '../../../src/api/kinds.ts';
import type { KindRef, KubeObject } from '../../../src/kube/index.ts';
import { DomainState } from '../../../src/libvirt/index.ts';
import type { PowerDevice } from '../../../src/power/index.ts';
import { type Admission, leadersOnly, ownHostOnly } from '../api/admission.ts';
import { SimulatedClient } from '../api/client.ts';
import { Link } from '../api/link.ts';
import { ApiServer } from '../api/server.ts';
import type { Process } from '../engine/process.ts';
import { type Random, seededRandom } from '../engine/random.ts';
import { type Order, Timeline } from '../engine/timeline.ts';
import type { Domain } from '../hosts/domain.ts';
import { SimulatedHost } from '../hosts/host.ts';
import type { MigrationTarget } from '../hosts/migrate.ts';
import { allInvariants } from '../invariants/all.ts';
import type { Invariant } from '../invariants/invariant.ts';
import { askAgentOf } from './ask-agent.ts';
import { askLeasesOf } from './ask-leases.ts';
import { bmcDevice, SimulatedBmc } from './bmc.ts';
import { SimulatedDatastore } from './datastore.ts';
import { factsOf } from './facts.ts';
import { FactLog } from './log.ts';
import { Network } from './network.ts';
import { SimulatedOperator } from './operator.ts';
import { bmcAddress, type ClusterPlan, objectsOf, pathOf } from './plan.ts';

export interface WorldOptions {
  readonly plan: ClusterPlan;
  /** Everything that is left to chance follows from it. */
  readonly seed: number;
  /** Whether things that are due together happen in the order of their making, or in one that the seed chooses. */
  readonly order: Order['kind'];
}

/** A promise was broken. */
export class InvariantBroken extends Error {
  readonly invariant: string;
  /** Virtual time, in milliseconds. */
  readonly atMs: number;

  constructor(invariant: string, how: string, atMs: number) {
    super(`${invariant}: ${how}`);
    this.name = 'InvariantBroken';
    this.invariant = invariant;
    this.atMs = atMs;
  }
}

/** A whole cluster in virtual time: the API server, operators, hosts, storage, network, BMCs, and who watches over them. */
export class World {
  readonly timeline: Timeline;
  /** How often all was healed. */
  heals = 0;
  readonly log: FactLog;
  readonly server: ApiServer;
  readonly network = new Network();
  readonly datastores: readonly SimulatedDatastore[];
  readonly hosts: readonly SimulatedHost[];
  readonly operators: readonly SimulatedOperator[];
  readonly bmcs: ReadonlyMap<string, SimulatedBmc>;
  /** The way of each client to the API server, by the name of its host or operator. */
  readonly links: ReadonlyMap<string, Link>;
  readonly isHighlyAvailable: boolean;
  readonly #random: Random;
  readonly #invariants: readonly Invariant[] = allInvariants();
  #broken: InvariantBroken | undefined;
  #hasChanged = false;
  #byUser = false;

  constructor({ plan, seed, order }: WorldOptions) {
    this.#random = seededRandom(seed);
    this.isHighlyAvailable = plan.ha !== undefined;
    this.timeline = new Timeline(
      order === 'fixed' ? { kind: 'fixed' } : { kind: 'random', random: seededRandom(seed + 1) },
    );
    this.log = new FactLog(this.timeline);
    this.server = new ApiServer(this.timeline);
    this.datastores = plan.datastores.map((each) => new SimulatedDatastore({ ...each, path: pathOf(each.name) }));
    const operators = Array.from({ length: plan.operators }, (_, index) => `operator-${index + 1}`);
    this.links = new Map(
      [...operators, ...plan.hosts.map(({ name }) => name)].map((name) => [name, new Link(this.#random)]),
    );
    this.#watch();
    const hasLeases = plan.hosts.some(({ watchdog }) => watchdog);
    this.hosts = plan.hosts.map((host, index) => this.#host(host, index, hasLeases));
    this.bmcs = new Map(this.hosts.map((host) => [host.name, new SimulatedBmc(host, this.timeline, host.systemUUID)]));
    this.operators = operators.map((name) => this.#operator(name));
    for (const object of objectsOf(plan)) this.asUser(() => this.server.create(kindOf(object.kind), object));
    plan.hosts.forEach((host, index) => {
      if (!host.off) this.hosts[index]?.powerOn(0);
      this.timeline.after(1_500, () => {
        for (const name of host.foreignDomains) this.startForeignDomain(host.name, name);
      });
    });
    for (const operator of this.operators) operator.start();
  }

  /** Lets time pass until `untilMs`. @throws InvariantBroken */
  async run(untilMs: number): Promise<void> {
    const random = Math.random;
    // The product's own chance (jitter of retries) has to follow from the seed, too.
    Math.random = this.#random;
    try {
      await this.timeline.run(untilMs, () => this.#check());
    } finally {
      Math.random = random;
    }
  }

  /** It is over: what waits in it is let go. */
  end(): void {
    this.timeline.end();
  }

  /** An operator has seen things late, or stood still. */
  get wereOperatorsMisled(): boolean {
    return (this.operators ?? []).some(({ name, wasPaused }) => wasPaused || this.link(name).wasFaulty);
  }

  /** A host has seen things late, or it or its agent stood still. */
  wasMisled(host: string): boolean {
    return this.host(host).wasPaused || this.link(host).wasFaulty;
  }

  /** The BMC of a host as a process of an operator uses it. */
  deviceOf(host: string, operator: string, process: Process): PowerDevice {
    return bmcDevice({
      bmc: this.bmc(host),
      process,
      isReachable: () => this.network.reaches(operator, bmcAddress(host)),
      onSend: () => this.#onFence(host, operator),
      onOrder: () => this.fact(host, `its BMC gets the order of ${operator} to cut the power`),
    });
  }

  host(name: string): SimulatedHost {
    return found(
      this.hosts.find((host) => host.name === name),
      `host ${name}`,
    );
  }

  operator(name: string): SimulatedOperator {
    return found(
      this.operators.find((operator) => operator.name === name),
      `operator ${name}`,
    );
  }

  /** @param machine a host, or an operator, which stands for the machine that it runs on */
  setClock(machine: string, aheadMs: number): void {
    const all = [...this.hosts, ...this.operators];
    found(
      all.find(({ name }) => name === machine),
      `machine ${machine}`,
    ).wallClock.aheadMs = aheadMs;
    const seconds = Math.abs(aheadMs) / 1000;
    this.fact(machine, `its clock is ${aheadMs === 0 ? 'right' : `${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead'}`}`);
  }

  datastore(name: string): SimulatedDatastore {
    return found(
      this.datastores.find((datastore) => datastore.name === name),
      `datastore ${name}`,
    );
  }

  bmc(host: string): SimulatedBmc {
    return found(this.bmcs.get(host), `BMC of ${host}`);
  }

  link(client: string): Link {
    return found(this.links.get(client), `client ${client}`);
  }

  /** The domain of a VM, and its host, where one executes it. */
  domainOf(vm: string): { readonly host: SimulatedHost; readonly domain: Domain } | undefined {
    const found = this.hosts.flatMap((host) => {
      const domain = host.domains.find(({ name }) => name.endsWith(`_${vm}`));
      return domain === undefined ? [] : [{ host, domain }];
    });
    return found.find(({ domain }) => domain.state === DomainState.RUNNING) ?? found[0];
  }

  /** Does something as a user of the cluster would, past all links. */
  asUser<T>(act: () => T): T {
    this.#byUser = true;
    try {
      return act();
    } finally {
      this.#byUser = false;
    }
  }

  startForeignDomain(host: string, name: string): void {
    const { scope } = this.host(host);
    if (scope === undefined) return;
    const uuid = `ffffffff-0000-4000-8000-${Buffer.from(`${host}${name}`).toString('hex').padEnd(12, '0').slice(-12)}`;
    const xml = `<domain><name>${name}</name><uuid>${uuid}</uuid><memory>1073741824</memory></domain>`;
    void scope.hypervisor.create(xml, false, scope.daemon);
  }

  fact(who: string, what: string): void {
    this.#hasChanged = true;
    this.log.add(who, what);
  }

  #watch(): void {
    this.server.onRestore(() => {
      for (const { onRestore } of this.#invariants) onRestore?.();
    });
    this.server.onCommit((commit) => {
      for (const fact of factsOf(commit)) this.fact('api', fact);
      for (const { name, onCommit } of this.#invariants) {
        const how = onCommit?.(commit, {
          hosts: this.hosts ?? [],
          server: this.server,
          bmcs: this.bmcs ?? new Map(),
          wereOperatorsMisled: this.wereOperatorsMisled,
          wasMisled: (host) => this.wasMisled(host),
          byUser: this.#byUser,
        });
        if (how !== undefined) this.#break(name, how);
      }
    });
  }

  #host(
    { name, cpuCores, memory, clockSkewSeconds, watchdog }: ClusterPlan['hosts'][number],
    index: number,
    seesLeases: boolean,
  ): SimulatedHost {
    return new SimulatedHost({
      name,
      address: `192.0.2.${index + 1}`,
      systemUUID: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
      wallClock: { aheadMs: clockSkewSeconds * 1000 },
      cpuCores,
      memoryBytes: memory,
      keepsLease: watchdog,
      seesLeases,
      timeline: this.timeline,
      datastores: this.datastores,
      clientFor: (process) => this.#client(name, process, ownHostOnly(this.server, name)),
      targetAt: (from, uri) => this.#migrationTarget(from, uri),
      answersAt: (from, address) =>
        this.hosts.some(
          (each) => each.address === address && each.isExecuting && this.network.reaches(from, each.name),
        ),
      othersReachApi: (from) => this.#othersReachApi(from),
      onFact: (what, domain) => {
        this.fact(name, what);
        if (domain !== undefined) this.#onDomain(name, domain, what);
      },
    });
  }

  /** As leases on shared storage tell it, of hosts that keep one. */
  #othersReachApi(from: string): boolean {
    return this.hosts.some(
      ({ name, hasAgent, isExecuting }) =>
        name !== from &&
        hasAgent &&
        isExecuting &&
        this.link(name).faults.state === 'Open' &&
        this.datastores.some((each) => each.shared && each.isAvailableOn(from) && each.isAvailableOn(name)),
    );
  }

  #operator(name: string): SimulatedOperator {
    return new SimulatedOperator({
      name,
      timeline: this.timeline,
      clientFor: (process, identity) => this.#client(name, process, leadersOnly(this.server, identity)),
      askAgentFor: (process) => askAgentOf(this, name, process),
      askLeasesFor: (process) => askLeasesOf(this, name, process),
      openDeviceFor:
        (process) =>
        ({ address }) => {
          const host = found(
            this.hosts.find((each) => bmcAddress(each.name) === address),
            `BMC at ${address}`,
          );
          return this.deviceOf(host.name, name, process);
        },
      onFact: (what) => this.fact(name, what),
    });
  }

  #client(name: string, process: Process, admission: Admission): SimulatedClient {
    return new SimulatedClient({
      server: this.server,
      timeline: this.timeline,
      link: this.link(name),
      process,
      admission,
    });
  }

  #migrationTarget(from: string, uri: string): MigrationTarget | undefined {
    const target = this.hosts.find(({ address }) => uri.includes(`//${address}/`));
    const scope = target?.scope;
    if (target === undefined || scope === undefined) return undefined;
    return {
      hypervisor: scope.hypervisor,
      daemon: scope.daemon,
      isReachable: () =>
        target.isExecuting &&
        target.scope === scope &&
        this.network.reaches(from, target.name) &&
        !scope.daemon.isPaused,
    };
  }

  #onDomain(host: string, domain: Domain, what: string): void {
    for (const { name, onDomain } of this.#invariants) {
      const how = onDomain?.({ host, domain, what }, this);
      if (how !== undefined) this.#break(name, how);
    }
  }

  #onFence(host: string, operator: string): void {
    for (const { name, onFence } of this.#invariants) {
      const how = onFence?.(this.host(host), operator, this);
      if (how !== undefined) this.#break(name, how);
    }
  }

  #check(): void {
    if (this.isHighlyAvailable) for (const { onStep } of this.#invariants) onStep?.(this);
    if (this.#hasChanged) {
      this.#hasChanged = false;
      for (const { name, holds } of this.#invariants) {
        const how = holds?.(this);
        if (how !== undefined) this.#break(name, how);
      }
    }
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** The first one counts; thrown between steps, where it meets nobody else's error handling. */
  #break(invariant: string, how: string): void {
    this.log.add('INVARIANT', `${invariant}: ${how}`);
    this.#broken ??= new InvariantBroken(invariant, how, this.timeline.nowMs);
  }
}

export function kindOf(name: string): KindRef<KubeObject> {
  if (name === 'Secret') return { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
  if (name === 'Node') return { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };
  const kind = Object.values(KINDS).find((each) => each.kind === name);
  return found(kind, `kind ${name}`);
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is no ${what} in this world`);
  return value;
}
