import { join } from 'node:path';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { Stop } from '../../core/instance/index.ts';
import { type DomainIdentity, domainName, keyOfDomain } from '../../domain/index.ts';
import { keyOf, type ObjectKey, refOfKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, soonest, source } from '../../runtime/index.ts';
import { Incoming } from '../migrations/incoming.ts';
import { Outgoing } from '../migrations/outgoing.ts';
import { BY_DOMAIN_UUID, type InstancesDeps } from './deps.ts';
import { followDomainEvents } from './domain-events.ts';
import { type DomainChange, type DomainEntry, DomainTable } from './domain-table.ts';
import { DomainsReport, isReported } from './domains-report.ts';
import { Ghosts } from './ghosts.ts';
import { GuestHeartbeats } from './guest-heartbeats.ts';
import { GuestTools } from './guest-tools.ts';
import { IsolatedStop } from './isolated-stop.ts';
import { Leftovers } from './leftovers.ts';
import { Listing } from './listing.ts';
import { type InstanceMemory, Memories } from './memory.ts';
import { instanceMetrics } from './metrics.ts';
import { ownEntry } from './observe.ts';
import { FIRST_RESUME_MS } from './perform.ts';
import { reconcileInstance, type Scope } from './reconcile.ts';
import { RunRecords } from './run-records.ts';
import { prepareArrival, type StartUnderWay } from './start-domain.ts';

const RESYNC_INTERVAL_MS = 60_000;
/** A start may take two minutes when the host is busy. */
const RECONCILE_TIMEOUT_MS = 180_000;

/** The VMs of this host: keeps their domains as the intents say, and tells what other domains there are. */
export class Instances {
  readonly controller: Controller;
  /** Domains that no intent speaks of, for Host.status. */
  readonly domains: DomainsReport;
  /** VMs that move to this host. */
  readonly incoming: Incoming;
  readonly #deps: InstancesDeps;
  readonly #table: DomainTable;
  readonly #memories = new Memories();
  readonly #starting = new Map<string, StartUnderWay>();
  readonly #guestTools: GuestTools;
  readonly #heartbeats: GuestHeartbeats;
  readonly #ghosts: Ghosts;
  readonly #leftovers: Leftovers;
  readonly #outgoing: Outgoing;
  readonly #listing: Listing;
  readonly #scope: Scope;

  private constructor(deps: InstancesDeps, records: RunRecords) {
    const { libvirt, clock, log, metrics } = deps;
    this.#deps = deps;
    this.#table = new DomainTable(libvirt, log, (change) => this.#onDomainChange(change));
    this.#guestTools = new GuestTools({
      libvirt,
      clock,
      log,
      onReport: (uuid) => this.#enqueueDomain(this.#table.byUuid(uuid)),
    });
    this.#heartbeats = new GuestHeartbeats({ libvirt, clock, log, onChange: (uuid) => this.#enqueueUuid(uuid) });
    this.#ghosts = new Ghosts({
      table: this.#table,
      files: deps.files,
      runDirectory: deps.domainRunDirectory,
      daemonPidFile: deps.daemonPidFile,
      isStarting: () => this.#starting.size > 0,
      clock,
      log,
      metrics,
    });
    this.#leftovers = new Leftovers(deps, this.#table, records, () => this.domains.changed());
    this.domains = new DomainsReport(this.#table, this.#leftovers);
    this.#listing = new Listing({
      table: this.#table,
      clock,
      log,
      intervalMs: deps.resyncIntervalMs ?? RESYNC_INTERVAL_MS,
      onListed: (becameCurrent) => this.#onListed(becameCurrent),
    });
    const outgoing = new Outgoing({
      libvirt,
      table: this.#table,
      virtualization: deps.virtualization,
      onMoved: (entry) => this.#onStop(entry, { at: clock.now().toISOString(), reason: 'Migrated' }),
      onChange: (uuid) => this.#enqueueUuid(uuid),
      clock,
      log,
      metrics,
    });
    this.incoming = new Incoming({
      incoming: deps.incoming,
      files: deps.files,
      libvirt,
      table: this.#table,
      prepare: async (instance) => {
        // So that what is made now is removed when the VM does not come.
        this.#memories.of(keyOf(instance), instance.spec.virtualMachineUID).hasSeed = true;
        await prepareArrival(deps, instance);
      },
      onGone: (key) => this.controller.enqueue(key),
      clock,
      log,
      metrics,
    });
    this.#outgoing = outgoing;
    this.#scope = {
      outgoing,
      heartbeats: this.#heartbeats,
      observer: {
        outgoing,
        storage: deps.storage,
        isolation: deps.isolation,
        host: deps.host,
        bootID: deps.bootID,
        table: this.#table,
        records,
        files: deps.files,
        logDirectory: deps.logDirectory,
        guestReport: (uuid) => this.#guestTools.report(uuid),
        guestSilence: (uuid) => this.#heartbeats.silence(uuid),
      },
      starter: {
        deps,
        table: this.#table,
        records,
        starting: this.#starting,
        onUnclear: () => this.#listing.soon(),
      },
      metrics: instanceMetrics(metrics, this.#memories),
    };
    this.controller = new Controller({
      name: 'instance',
      concurrency: deps.concurrency,
      sources: [source(deps.instances)],
      reconcile: (key, context) => this.#reconcile(key, context),
      reconcileTimeoutMs: RECONCILE_TIMEOUT_MS,
      log,
      metrics,
      clock,
    });
  }

  /** @throws Error when the records of this host cannot be read. */
  static async open(deps: InstancesDeps): Promise<Instances> {
    const path = join(deps.stateDirectory, 'runs.json');
    return new Instances(deps, await RunRecords.load(path, deps.clock.now(), deps.files));
  }

  /** Follows libvirt until the signal is aborted; the controller is run by its manager. */
  async run(signal: AbortSignal): Promise<void> {
    const { libvirt, clock, log } = this.#deps;
    const ends = [
      libvirt.on('disconnected', () => this.#table.outdate()),
      libvirt.on('eventsMissed', () => this.#listing.soon()),
      this.#deps.storage.onChange(() => this.#onStorage()),
      this.#deps.isolation.onChange(() => {
        for (const key of this.#deps.instances.keys()) this.controller.enqueue(key);
      }),
      await followDomainEvents({
        libvirt,
        table: this.#table,
        clock,
        log,
        starting: this.#starting,
        onStop: (entry, stop) => this.#onStop(entry, stop),
        onJobCompleted: (uuid, params) => this.#outgoing.onCompleted(uuid, params),
        onReceiving: (name) => {
          const key = keyOfDomain(name);
          if (key !== undefined) this.incoming.onReceiving(key);
        },
        onUnclear: () => this.#listing.soon(),
      }),
    ];
    const isolatedStop = new IsolatedStop({
      table: this.#table,
      libvirt,
      isolation: this.#deps.isolation,
      memoryOf: (identity) => this.#memoryOf(identity),
      knowsIntents: () => this.#deps.instances.hasSynced(),
      clock,
      log,
    }).run(signal);
    // Events first: what happens from here on is reported, what was before is listed.
    this.#listing.soon();
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await isolatedStop;
    this.#listing.stop();
    this.#guestTools.stop();
    this.#heartbeats.stop();
    this.#ghosts.stop();
    for (const end of ends) end();
  }

  async #reconcile(key: ObjectKey, context: ReconcileContext): Promise<Result> {
    // After the listing that makes the table current, every key is looked at again.
    if (!this.#table.isCurrent) return done;
    const instance = this.#deps.instances.get(key);
    // Its domain is there, and the event that tells so may be on its way: it must not be started beside it.
    if (instance !== undefined && this.#hasJustMovedHere(instance)) await this.#table.resync();
    const leftover = this.#leftoverOf(key, instance);
    const results: Result[] = [];
    const isExpected = leftover?.identity && this.incoming.expects(key, leftover.identity.virtualMachineUID);
    if (leftover !== undefined && !isExpected) results.push(await this.#leftovers.settle(key, leftover, context));
    if (instance !== undefined) {
      const memory = this.#memories.of(key, instance.spec.virtualMachineUID);
      results.push(await reconcileInstance(this.#scope, instance, memory, context));
    } else if (this.#leftoverOf(key, instance) === undefined) {
      await this.#forget(key);
    }
    const own = instance && ownEntry(this.#table, instance);
    if (own !== undefined) this.#leftovers.forget(own.uuid);
    if (instance !== undefined) this.#heartbeats.follow(instance.spec.domainUUID, own, instance.spec.vmFault);
    return soonest(results);
  }

  /** The source has said that it moved here, and the table does not show it yet. */
  #hasJustMovedHere(instance: VirtualMachineInstance): boolean {
    const { status } = instance;
    const isOfOther = status?.migration?.phase === 'Moved' && status.host !== this.#deps.host;
    return isOfOther && ownEntry(this.#table, instance) === undefined;
  }

  /** The running domain of Drover that has this VM's name, but is not of the VM that the intent speaks of. */
  #leftoverOf(key: ObjectKey, instance: VirtualMachineInstance | undefined): DomainEntry | undefined {
    const { namespace = '', name } = refOfKey(key);
    const entry = this.#table.byName(domainName({ namespace, name }));
    if (entry?.identity === undefined) return undefined;
    return entry.identity.virtualMachineUID === instance?.spec.virtualMachineUID ? undefined : entry;
  }

  /** Domains of Drover that are there. Undefined: libvirt has not told. */
  domainsLeft(): number | undefined {
    return this.#table.isCurrent
      ? this.#table.list().filter(({ identity }) => identity !== undefined).length
      : undefined;
  }

  /** Guests that wait for storage go on as soon as it is back, and not at the end of a pause that grew while it was away. */
  #onStorage(): void {
    for (const instance of this.#deps.instances.list()) {
      const key = keyOf(instance);
      const memory = this.#memories.find(key);
      if (memory?.resume === undefined) continue;
      const isLost = instance.spec.disks.some(({ path }) => this.#deps.storage.lostDatastoreOf(path) !== undefined);
      if (memory.resume.storageIsLost && !isLost) {
        memory.resume = { atMs: this.#deps.clock.now().getTime(), intervalMs: FIRST_RESUME_MS };
      }
      this.controller.enqueue(key);
    }
  }

  #onStop({ identity }: DomainEntry, stop: Stop): void {
    if (identity === undefined) return;
    const memory = this.#memoryOf(identity);
    // Of a domain that the agent itself has ended, it knows why.
    if (stop.reason === 'Destroyed' && memory.end?.of === identity.startedAt) return;
    memory.end = { of: identity.startedAt, end: { began: true, ...stop } };
  }

  #memoryOf({ namespace, name, virtualMachineUID }: DomainIdentity): InstanceMemory {
    return this.#memories.of(`${namespace}/${name}`, virtualMachineUID);
  }

  async #forget(key: ObjectKey): Promise<void> {
    if (this.#deps.incoming.get(key) !== undefined) return;
    const memory = this.#memories.find(key);
    if (memory?.hasSeed) await this.#deps.files.removeSeed(this.#deps.seedDirectory, memory.virtualMachineUID);
    this.#memories.forget(key);
  }

  #onDomainChange({ before, after }: DomainChange): void {
    const uuid = after?.uuid ?? before?.uuid;
    if (uuid !== undefined) this.#guestTools.follow(uuid, after);
    // A domain without an instance, which no pass looks at.
    if (uuid !== undefined && after === undefined) this.#heartbeats.forget(uuid);
    this.#enqueueDomain(before);
    this.#enqueueDomain(after);
    if (isReported(before, this.#leftovers) || isReported(after, this.#leftovers)) this.domains.changed();
    if (uuid !== undefined && after === undefined) this.#leftovers.forget(uuid);
  }

  /** Of whichever VM it has the name or the UUID: a foreign domain may be in a VM's way. */
  #enqueueDomain(entry: DomainEntry | undefined): void {
    if (entry === undefined) return;
    const key = keyOfDomain(entry.name);
    if (key !== undefined) {
      this.controller.enqueue(key);
      this.incoming.onDomainChange(key);
    }
    this.#enqueueUuid(entry.uuid);
  }

  #enqueueUuid(uuid: string): void {
    for (const instance of this.#deps.instances.byIndex(BY_DOMAIN_UUID, uuid)) this.controller.enqueue(keyOf(instance));
  }

  #onListed(becameCurrent: boolean): void {
    if (becameCurrent) {
      for (const key of this.#deps.instances.keys()) this.controller.enqueue(key);
      for (const entry of this.#table.list()) this.#enqueueDomain(entry);
    }
    // A stray's instance may have come back, or moved, without an event on this host.
    for (const { uuid } of this.#leftovers.strays()) this.#enqueueDomain(this.#table.byUuid(uuid));
    this.domains.listed();
    this.#ghosts.look();
  }
}
