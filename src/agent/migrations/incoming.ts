import type { Logger } from 'pino';
import type { IncomingMigration } from '../../api/host.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { questionOf } from '../../core/migration/next-step.ts';
import { domainName } from '../../domain/index.ts';
import type { HostFiles } from '../../host/index.ts';
import type { ObjectKey, SharedInformer } from '../../kube/index.ts';
import { DomainState, isLibvirtError, type Libvirt, PausedReason } from '../../libvirt/index.ts';
import {
  type Clock,
  CodedError,
  Controller,
  done,
  type Metrics,
  type ReconcileContext,
  type Result,
  requeueAfter,
  source,
} from '../../runtime/index.ts';
import type { DomainEntry, DomainTable } from '../instances/domain-table.ts';

export interface IncomingOptions {
  /** Instances that move to this host. */
  readonly incoming: SharedInformer<VirtualMachineInstance>;
  readonly files: HostFiles;
  readonly libvirt: Libvirt;
  readonly table: DomainTable;
  /** Makes what QEMU needs besides disks: bridges and the seed. @throws CodedError, Error when it cannot be made. */
  readonly prepare: (instance: VirtualMachineInstance) => Promise<void>;
  /** A VM comes no more, or has arrived: what was made for it may be removed. */
  readonly onGone: (key: ObjectKey) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What is known of one VM that moves here. */
interface Arrival {
  readonly uid: string;
  report: IncomingMigration;
  isPrepared: boolean;
  /** libvirt has begun to make a copy in this boot; the table does not list it before it runs. */
  hasBegun: boolean;
}

const RETRY_MS = 1_000;

/** VMs that move to this host: makes ready for them, and tells in Host.status how far it is. */
export class Incoming {
  readonly controller: Controller;
  readonly #options: IncomingOptions;
  readonly #arrivals = new Map<ObjectKey, Arrival>();
  readonly #listeners = new Set<() => void>();

  constructor(options: IncomingOptions) {
    this.#options = options;
    this.controller = new Controller({
      name: 'incomingMigration',
      concurrency: 4,
      sources: [source(options.incoming)],
      reconcile: (key, context) => this.#reconcile(key, context),
      log: options.log,
      metrics: options.metrics,
      clock: options.clock,
    });
  }

  /** For Host.status, by uid. */
  report(): IncomingMigration[] {
    return [...this.#arrivals.values()].map(({ report }) => report).sort((a, b) => (a.uid < b.uid ? -1 : 1));
  }

  /** Calls the listener when `report()` says something else. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether a domain of this host is a VM that moves here, or was a moment ago. */
  expects(key: ObjectKey, virtualMachineUID: string): boolean {
    return this.#options.incoming.get(key)?.spec.virtualMachineUID === virtualMachineUID;
  }

  /** A domain has changed. */
  onDomainChange(key: ObjectKey): void {
    if (this.#arrivals.has(key)) this.controller.enqueue(key);
  }

  /** libvirt begins to make a copy of it here. */
  onReceiving(key: ObjectKey): void {
    const arrival = this.#arrivals.get(key);
    if (arrival === undefined) return;
    arrival.hasBegun = true;
    this.controller.enqueue(key);
  }

  async #reconcile(key: ObjectKey, { log }: ReconcileContext): Promise<Result> {
    const instance = this.#options.incoming.get(key);
    const migration = instance?.spec.migration;
    if (instance === undefined || migration === undefined) {
      if (this.#arrivals.delete(key)) this.#changed();
      this.#options.onGone(key);
      return done;
    }
    const known = this.#arrivals.get(key);
    const arrival = known?.uid === migration.uid ? known : undefined;
    const isPrepared = arrival?.isPrepared ?? false;
    const obstacle = isPrepared ? undefined : await this.#prepare(instance);
    if (obstacle !== undefined) log.warn({ migration: migration.name, why: obstacle.message }, 'not ready for a VM');
    const report: IncomingMigration = {
      uid: migration.uid,
      virtualMachine: key,
      ready: obstacle === undefined,
      ...(obstacle && { reason: obstacle.reason, message: obstacle.message.slice(0, 1024) }),
      ...(await this.#domainOf(instance, arrival?.hasBegun ?? false)),
    };
    const hasBegun = this.#arrivals.get(key)?.hasBegun === true && known?.uid === migration.uid;
    this.#arrivals.set(key, { uid: migration.uid, report, isPrepared: obstacle === undefined, hasBegun });
    if (JSON.stringify(arrival?.report) !== JSON.stringify(report)) this.#changed();
    return obstacle === undefined ? done : requeueAfter(RETRY_MS, obstacle.message);
  }

  async #prepare(instance: VirtualMachineInstance): Promise<{ reason: string; message: string } | undefined> {
    try {
      for (const { path, name, readOnly } of instance.spec.disks) {
        try {
          await this.#options.files.checkAccess(path, readOnly ? 'read' : 'write');
        } catch (cause) {
          const why = cause instanceof Error ? cause.message : String(cause);
          throw new CodedError('DatastoreUnavailable', `disk "${name}" is not there: ${why}`, { cause });
        }
      }
      await this.#options.prepare(instance);
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { reason: error instanceof CodedError ? error.code : 'HostNotPrepared', message };
    }
  }

  /**
   * The copy here. After a break that the source could not tell the end of, or after its death, libvirt itself is asked: what it
   * says then is the answer to that question, and not to something earlier.
   */
  async #domainOf(
    instance: VirtualMachineInstance,
    hasBegun: boolean,
  ): Promise<Pick<IncomingMigration, 'domain' | 'answers'>> {
    const { table } = this.#options;
    const question = questionOf(instance);
    if (question !== undefined) await table.resync();
    const isSourceOff = instance.spec.migration?.sourceFencedAt !== undefined;
    if (isSourceOff && table.isCurrent) await this.#endUnfinished(instance);
    const entry = this.#copyOf(instance);
    if (question !== undefined && table.isCurrent) return { domain: domainWord(entry), answers: question };
    return { domain: entry === undefined && hasBegun ? 'Receiving' : domainWord(entry) };
  }

  /** Nothing more comes for a copy that has never run, or that has not all of its memory yet: it is no VM, and never will be. */
  async #endUnfinished(instance: VirtualMachineInstance): Promise<void> {
    const { libvirt, table, log } = this.#options;
    const entry = this.#copyOf(instance);
    if (entry === undefined || !isUnfinished(entry)) return;
    log.warn({ domain: entry.name }, 'destroying a copy that has not arrived: its source is off');
    try {
      const { uuid, name, id } = entry;
      await libvirt.call('domainDestroyFlags', { dom: { uuid, name, id } });
    } catch (error) {
      // libvirt has found out by itself.
      if (!isLibvirtError(error, 'NO_DOMAIN')) throw error;
    }
    table.remove(entry.uuid);
  }

  #copyOf({ metadata: { namespace = '', name }, spec }: VirtualMachineInstance): DomainEntry | undefined {
    const entry = this.#options.table.byName(domainName({ namespace, name }));
    return entry?.identity?.virtualMachineUID === spec.virtualMachineUID ? entry : undefined;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function domainWord(entry: DomainEntry | undefined): IncomingMigration['domain'] {
  if (entry === undefined) return 'Absent';
  return isUnfinished(entry) ? 'Receiving' : 'Running';
}

/** A guest that ran here and was paused for another cause has arrived. */
function isUnfinished({ state, reason }: DomainEntry): boolean {
  if (state !== DomainState.PAUSED) return false;
  switch (reason) {
    case PausedReason.IOERROR:
    case PausedReason.USER:
    case PausedReason.WATCHDOG:
    case PausedReason.FROM_SNAPSHOT:
      return false;
    default:
      return true;
  }
}
