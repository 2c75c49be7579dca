import type { Logger } from 'pino';
import { type VirtualMachineInstance as Instance, VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { judgeLeftover } from '../../core/instance/index.ts';
import { KubeError, type ObjectKey, refOfKey } from '../../kube/index.ts';
import { isLibvirtError } from '../../libvirt/index.ts';
import { CodedError, done, type ReconcileContext, type Result, requeueAfter } from '../../runtime/index.ts';
import type { InstancesDeps } from './deps.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';
import type { RunRecords } from './run-records.ts';

/** A domain of Drover that runs without an intent for this host. */
export interface StrayDomain {
  readonly uuid: string;
  /** namespace/name */
  readonly virtualMachine: string;
  readonly epoch: number;
  /** Why it is left running, and what to do. */
  readonly message: string;
}

interface LeftoversDeps extends Pick<InstancesDeps, 'host'> {
  readonly client: Pick<InstancesDeps['client'], 'get'>;
  readonly libvirt: Pick<InstancesDeps['libvirt'], 'call'>;
  readonly clock: Pick<InstancesDeps['clock'], 'now'>;
}

/** How soon an intent that the API server has must have reached the cache. */
const CACHE_LAG_MS = 1_000;

/** Domains of Drover on this host that no intent of this host speaks of. */
export class Leftovers {
  readonly #deps: LeftoversDeps;
  readonly #table: DomainTable;
  readonly #records: Pick<RunRecords, 'saveEpoch'>;
  readonly #strays = new Map<string, StrayDomain>();
  /** Told when the list of strays has changed. */
  readonly #onChange: () => void;

  constructor(deps: LeftoversDeps, table: DomainTable, records: Pick<RunRecords, 'saveEpoch'>, onChange: () => void) {
    this.#deps = deps;
    this.#table = table;
    this.#records = records;
    this.#onChange = onChange;
  }

  isStray(uuid: string): boolean {
    return this.#strays.has(uuid);
  }

  /** An intent speaks of the domain again, or it is gone. */
  forget(uuid: string): void {
    if (this.#strays.delete(uuid)) this.#onChange();
  }

  /** By UUID in ascending order. */
  strays(): StrayDomain[] {
    return [...this.#strays.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  }

  /** @param entry a running domain of Drover whose VM has no intent in the cache */
  async settle(
    key: ObjectKey,
    entry: DomainEntry,
    { log, signal }: Pick<ReconcileContext, 'log' | 'signal'>,
  ): Promise<Result> {
    const { identity } = entry;
    if (identity === undefined) return done;
    // Asked of the API server itself: a cache that selects by host cannot tell "moved" from "deleted".
    const verdict = judgeLeftover(identity, await this.#live(key, signal), this.#deps.host);
    switch (verdict.verdict) {
      case 'Wait':
        return requeueAfter(CACHE_LAG_MS, 'the intent is on its way into the cache');
      case 'Stray':
        this.#leave(entry, verdict.message, log);
        return done;
      case 'Destroy':
        await this.#records.saveEpoch(identity.virtualMachineUID, verdict.epoch, this.#deps.clock.now());
        log.warn({ step: 'Destroy', domain: entry.name, why: verdict.why }, 'destroying a domain that has moved away');
        await this.#destroy(entry);
        return done;
    }
  }

  #leave({ uuid, name, identity }: DomainEntry, message: string, log: Logger): void {
    // It may have stopped while the API server was asked, and nobody would ever say so again.
    if (this.#table.byUuid(uuid) === undefined) return;
    if (identity === undefined || this.#strays.get(uuid)?.message === message) return;
    log.warn({ step: 'LeaveStray', domain: name, why: message }, 'a domain runs without an intent');
    const virtualMachine = `${identity.namespace}/${identity.name}`;
    this.#strays.set(uuid, { uuid, virtualMachine, epoch: identity.epoch, message });
    this.#onChange();
  }

  /** Undefined: there is no such instance. @throws KubeError when the API server does not say. */
  async #live(key: ObjectKey, signal: AbortSignal): Promise<Instance | undefined> {
    try {
      return await this.#deps.client.get<Instance>(VirtualMachineInstance, refOfKey(key), { signal });
    } catch (error) {
      if (error instanceof KubeError && error.isNotFound()) return undefined;
      throw error;
    }
  }

  async #destroy({ uuid, name, id }: DomainEntry): Promise<void> {
    try {
      await this.#deps.libvirt.call('domainDestroyFlags', { dom: { uuid, name, id } });
    } catch (cause) {
      if (!isLibvirtError(cause, 'NO_DOMAIN')) {
        const words = cause instanceof Error ? cause.message : String(cause);
        throw new CodedError(
          'LibvirtUnavailable',
          `Domain ${name}, which has moved away, cannot be destroyed: ${words}`,
          {
            cause,
          },
        );
      }
    }
    this.#table.remove(uuid);
  }
}
