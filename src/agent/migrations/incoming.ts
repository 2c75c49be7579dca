import type { Logger } from 'pino';
import type { IncomingMigration } from '../../api/host.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { domainName } from '../../domain/index.ts';
import type { HostFiles } from '../../host/index.ts';
import type { ObjectKey, SharedInformer } from '../../kube/index.ts';
import { DomainState } from '../../libvirt/index.ts';
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
      ...(await this.#domainOf(instance)),
    };
    this.#arrivals.set(key, { uid: migration.uid, report, isPrepared: obstacle === undefined });
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
   * The copy here. After a break that the source could not tell the end of, libvirt itself is asked: what it says then is
   * the answer to that break, and not to something earlier.
   */
  async #domainOf(instance: VirtualMachineInstance): Promise<Pick<IncomingMigration, 'domain' | 'answers'>> {
    const { table } = this.#options;
    const { migration: told } = instance.status ?? {};
    const breakAt = told?.phase === 'Unclear' && told.uid === instance.spec.migration?.uid ? told.endedAt : undefined;
    if (breakAt !== undefined) await table.resync();
    const { namespace = '', name } = instance.metadata;
    const entry = table.byName(domainName({ namespace, name }));
    const domain = domainWord(entry, instance);
    return { domain, ...(breakAt !== undefined && table.isCurrent && { answers: breakAt }) };
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function domainWord(entry: DomainEntry | undefined, { spec }: VirtualMachineInstance): IncomingMigration['domain'] {
  if (entry?.identity?.virtualMachineUID !== spec.virtualMachineUID) return 'Absent';
  return entry.state === DomainState.PAUSED ? 'Receiving' : 'Running';
}
