import type { Logger } from 'pino';
import { Counter } from 'prom-client';
import type { InstanceMigration, MigrationProgress } from '../../api/virtual-machine-instance-migration.ts';
import type { MigrationJob } from '../../core/instance/index.ts';
import { beginStall, firstDowntimeMs, lookAtStall, type StallState } from '../../core/migration/stall-ladder.ts';
import { isLibvirtError, isTransportError, JobOperation, JobType, type Libvirt, Migrate } from '../../libvirt/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import type { DomainEntry, DomainTable } from '../instances/domain-table.ts';
import { migrationFailure } from './failure.ts';
import { type JobParameters, progressOf } from './progress.ts';

export interface OutgoingOptions {
  readonly libvirt: Libvirt;
  readonly table: DomainTable;
  readonly virtualization: 'kvm' | 'qemu';
  /** A domain was moved away: told before the table shows that it is gone. */
  readonly onMoved: (entry: DomainEntry) => void;
  /** What is known of the migration of a domain (by UUID) has changed. */
  readonly onChange: (uuid: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A migration of this agent, or one of an agent before it that libvirt goes on with. */
interface Job {
  readonly migration: InstanceMigration;
  readonly entry: DomainEntry;
  readonly startedMs: number;
  known: MigrationJob;
  stall: StallState;
  /** Downtime that libvirt was told to allow last. */
  downtimeMs: number;
  postCopy: boolean;
  giveUp: { readonly reason: string; readonly message: string } | undefined;
  /** Resolves when `perform` was answered: how it ended, as far as that is known. */
  readonly answered: Promise<Answer>;
}

/** `Unheard`: the connection to the daemon broke, so that libvirt's job is looked for. */
type Answer =
  | { readonly end: 'Moved' }
  | { readonly end: 'Failed'; readonly error: unknown }
  | { readonly end: 'Unheard' };

/** Each look asks QEMU, which has better things to do at the end of a short migration. */
const LOOK_MS = 1_000;
/** How often figures are shown: each is a write of an object. */
const SHOWN_EVERY_MS = 5_000;
const MIB = 2 ** 20;
const NO_COOKIE = new Uint8Array();

/** The migrations that leave this host: starts them, watches over them, and knows how each ended. */
export class Outgoing {
  readonly #options: OutgoingOptions;
  /** By UUID of the domain: the last one of each. */
  readonly #jobs = new Map<string, Job>();
  readonly #ended: Counter<'outcome'>;

  constructor(options: OutgoingOptions) {
    this.#options = options;
    this.#ended = new Counter({
      name: 'drover_outgoing_migrations_total',
      help: 'Live migrations away from this host that ended, by outcome.',
      labelNames: ['outcome'],
      registers: [options.metrics.registry],
    });
  }

  /** What is known of the migration of a domain. Undefined: nothing of this one. */
  find(uuid: string, uid: string): MigrationJob | undefined {
    const job = this.#jobs.get(uuid);
    return job?.known.uid === uid ? job.known : undefined;
  }

  /** The migration of a domain that is being carried out, whichever it is. Undefined: none that this agent knows of. */
  underWay(uuid: string): MigrationJob | undefined {
    const known = this.#jobs.get(uuid)?.known;
    return known?.state === 'Running' ? known : undefined;
  }

  forget(uuid: string): void {
    if (this.#jobs.get(uuid)?.known.state !== 'Running') this.#jobs.delete(uuid);
  }

  /** libvirt tells the figures of a job that has ended; they come with an event, before or after the answer. */
  onCompleted(uuid: string, params: JobParameters): void {
    const downtime = Number(params['downtime'] ?? Number.NaN);
    if (!Number.isFinite(downtime)) return;
    const job = this.#jobs.get(uuid);
    if (job === undefined) return;
    job.known = { ...job.known, downtimeMilliseconds: downtime };
    this.#options.onChange(uuid);
  }

  /** Starts to copy. Returns at once. */
  start(entry: DomainEntry, migration: InstanceMigration): void {
    const answered = this.#perform(entry, migration);
    this.#watch(entry, migration, this.#options.clock.now().toISOString(), answered);
  }

  /**
   * Goes on with a migration that an agent before this one has started, if libvirt still carries it out.
   * @returns whether it does
   * @throws LibvirtError, LibvirtTransportError when libvirt does not say
   */
  async takeOver(entry: DomainEntry, migration: InstanceMigration, startedAt: string | undefined): Promise<boolean> {
    if (!(await this.#isCopying(entry))) return false;
    const began = startedAt ?? this.#options.clock.now().toISOString();
    this.#watch(entry, migration, began, Promise.resolve({ end: 'Unheard' }));
    return true;
  }

  async abort(uuid: string): Promise<void> {
    const job = this.#jobs.get(uuid);
    if (job === undefined) return;
    job.giveUp ??= { reason: 'Cancelled', message: 'It was cancelled; the VM stays where it is.' };
    await this.#abortJob(job);
  }

  async #perform({ uuid, name, id }: DomainEntry, migration: InstanceMigration): Promise<Answer> {
    const { transport, targetAddress, bandwidthBytesPerSecond: bandwidth, autoConverge, postCopy } = migration;
    const isTls = transport === 'TLS';
    const host = targetAddress.includes(':') ? `[${targetAddress}]` : targetAddress;
    const { libvirt, virtualization } = this.#options;
    try {
      const downtimeMs = firstDowntimeMs(migration, virtualization);
      await libvirt.call('domainMigrateSetMaxDowntime', { dom: { uuid, name, id }, downtimeMs });
      await libvirt.call(
        'domainMigratePerform3Params',
        {
          dom: { uuid, name, id },
          dconnuri: `qemu+${isTls ? 'tls' : 'tcp'}://${host}/system`,
          params: {
            migrate_uri: `tcp://${host}`,
            ...(bandwidth !== undefined && { bandwidth: BigInt(Math.max(1, Math.floor(bandwidth / MIB))) }),
          },
          cookieIn: NO_COOKIE,
          // UNSAFE: libvirt does not know which directories hosts share; the operator does (Datastore.spec.shared).
          flags:
            Migrate.LIVE |
            Migrate.PEER2PEER |
            Migrate.ABORT_ON_ERROR |
            Migrate.UNSAFE |
            (isTls ? Migrate.TLS : 0) |
            (autoConverge ? Migrate.AUTO_CONVERGE : 0) |
            (postCopy ? Migrate.POSTCOPY : 0),
        },
        { timeoutMs: 0 },
      );
      return { end: 'Moved' };
    } catch (error) {
      return isTransportError(error) ? { end: 'Unheard' } : { end: 'Failed', error };
    }
  }

  #watch(entry: DomainEntry, migration: InstanceMigration, startedAt: string, answered: Promise<Answer>): void {
    const startedMs = this.#options.clock.monotonicMs();
    const job: Job = {
      migration,
      entry,
      startedMs,
      known: { uid: migration.uid, state: 'Running', startedAt, abortAsked: false },
      stall: beginStall(startedMs),
      downtimeMs: firstDowntimeMs(migration, this.#options.virtualization),
      postCopy: false,
      giveUp: undefined,
      answered,
    };
    this.#jobs.set(entry.uuid, job);
    void this.#follow(job);
  }

  /** Until it has ended, whatever happens to the daemon meanwhile. Never rejects. */
  async #follow(job: Job): Promise<void> {
    const { clock, log } = this.#options;
    const ended = new AbortController();
    const looking = this.#lookOnAndOn(job, ended.signal);
    const answer = await job.answered;
    while (answer.end === 'Unheard') {
      try {
        if (!(await this.#isCopying(job.entry))) break;
      } catch (err) {
        log.debug({ err }, 'cannot ask libvirt for a migration under way');
      }
      await clock.sleep(LOOK_MS);
    }
    ended.abort();
    await looking;
    await this.#settle(job, answer);
  }

  async #settle(job: Job, answer: Answer): Promise<void> {
    const { table, clock, log, onMoved, onChange } = this.#options;
    const { uuid, name } = job.entry;
    try {
      // The table follows events, which may come later than the answer: what is decided next needs it as it is now.
      const isGone = await table.isGone(uuid);
      if (isGone && answer.end === 'Moved') onMoved(job.entry);
      if (isGone) table.remove(uuid);
    } catch (err) {
      // Without the daemon the table proves nothing, and all domains are listed anew when it is back.
      log.info({ domain: name, err }, 'cannot see what became of a domain after its migration');
    }
    const refusal = answer.end === 'Failed' ? migrationFailure(answer.error, job.migration) : undefined;
    // What was to be stopped may have come to its end all the same.
    const failure = answer.end === 'Moved' ? undefined : (job.giveUp ?? refusal);
    job.known = {
      ...job.known,
      state: 'Ended',
      endedAt: clock.now().toISOString(),
      ...(failure && { failure }),
    };
    this.#ended.inc({ outcome: answer.end === 'Moved' ? 'moved' : (failure?.reason ?? 'Unknown') });
    log.info(
      { domain: name, migration: job.migration.name, end: answer.end, ...(failure && { why: failure.message }) },
      'a migration ended',
    );
    onChange(uuid);
  }

  async #lookOnAndOn(job: Job, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    let shownMs = job.startedMs;
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#look(job);
      } catch (err) {
        // It may have ended in this moment; how, the answer tells.
        if (!isLibvirtError(err, 'NO_DOMAIN')) log.debug({ domain: job.entry.name, err }, 'cannot look at a migration');
      }
      const nowMs = clock.monotonicMs();
      if (job.known.progress !== undefined && nowMs - shownMs >= SHOWN_EVERY_MS) {
        shownMs = nowMs;
        this.#options.onChange(job.entry.uuid);
      }
    }
  }

  async #look(job: Job): Promise<void> {
    const { libvirt, clock, log } = this.#options;
    const { uuid, name, id } = job.entry;
    const dom = { uuid, name, id };
    const { type, params } = await libvirt.call('domainGetJobStats', { dom });
    if (type === JobType.NONE || Number(params['memory_total'] ?? 0) === 0) return;
    const progress: MigrationProgress = progressOf(params, clock.now(), job);
    job.known = { ...job.known, progress };
    const looked = lookAtStall(job.stall, progress, job.migration, {
      nowMs: clock.monotonicMs(),
      startedMs: job.startedMs,
    });
    job.stall = looked.state;
    const { action } = looked;
    if (action === undefined || job.giveUp !== undefined) return;
    log.info({ domain: name, migration: job.migration.name, ...action }, 'a migration stalls');
    switch (action.action) {
      case 'AllowDowntime':
        job.downtimeMs = action.milliseconds;
        await libvirt.call('domainMigrateSetMaxDowntime', { dom, downtimeMs: action.milliseconds });
        return;
      case 'StartPostCopy':
        await libvirt.call('domainMigrateStartPostCopy', { dom });
        job.postCopy = true;
        // Shown at once: from here on the guest may be lost with either host.
        job.known = { ...job.known, progress: { ...progress, postCopy: true } };
        this.#options.onChange(uuid);
        return;
      case 'GiveUp':
        job.giveUp = { reason: action.reason, message: sentence(action.message) };
        await this.#abortJob(job);
    }
  }

  async #abortJob(job: Job): Promise<void> {
    const { uuid, name, id } = job.entry;
    try {
      await this.#options.libvirt.call('domainAbortJob', { dom: { uuid, name, id } });
      job.known = { ...job.known, abortAsked: true };
    } catch (error) {
      // It has ended in this moment, or has not begun in libvirt yet: then it is asked again.
      if (!isLibvirtError(error, 'OPERATION_INVALID', 'NO_DOMAIN')) throw error;
    }
  }

  /** Whether libvirt is copying the memory of a domain to another host. */
  async #isCopying({ uuid, name, id }: DomainEntry): Promise<boolean> {
    try {
      const { type, params } = await this.#options.libvirt.call('domainGetJobStats', { dom: { uuid, name, id } });
      const isActive = type === JobType.BOUNDED || type === JobType.UNBOUNDED;
      return isActive && params['operation'] === JobOperation.MIGRATION_OUT;
    } catch (error) {
      if (isLibvirtError(error, 'NO_DOMAIN', 'OPERATION_INVALID')) return false;
      throw error;
    }
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
