import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { LeaseRecord } from '../../api/storage-lease.ts';
import { CUT_OFF_AFTER_MS } from '../../core/ha/isolation.ts';
import { type KeeperState, keeperStep, RENEW_EVERY_MS, renewed } from '../../core/ha/storage-lease.ts';
import { nextTerm } from '../../core/ha/term.ts';
import type { Watchdog } from '../../host/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { LeaseNotes, LeaseState } from './folder.ts';
import type { LeaseFiles, LeaseGuests, LeaseMachine } from './machine.ts';
import { NO_REMAINS, type Remains } from './own-guests.ts';

export interface LeaseKeeperOptions {
  /** Name of this host. */
  readonly host: string;
  /** Boot of this host, as the kernel names it. */
  readonly bootID: string;
  readonly folder: LeaseNotes;
  readonly machine: LeaseMachine;
  /** After how long without a renewal guests are killed, in milliseconds. */
  readonly selfFenceMs: number;
  /** Device or socket of the watchdog. Absent: none, and the lease proves nothing; no guest is ever killed then. */
  readonly watchdog?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A datastore that the lease lies on. */
interface Place {
  readonly root: string;
  readonly files: LeaseFiles;
  /** A write is under way: there is one at a time, so that none overtakes another. */
  busy: boolean;
}

/** Far more often than any watchdog must be fed. */
const TICK_MS = 500;
/** Longer than this, and the next attempt is the better chance. */
const WRITE_TIMEOUT_MS = 5_000;
const OPEN_AGAIN_MS = 10_000;

/**
 * Keeps a host's lease on storage: a process of its own that needs neither API nor libvirt nor agent, so that guests go on without them.
 *
 * It takes the lease in this order: a record without a watchdog, which shows that the storage takes it; its promise, written down on
 * this host, so that whoever comes after it in this boot keeps it, too; the watchdog, which runs from there on; the first record that
 * speaks of it. So whoever reads of a watchdog can rely on one.
 *
 * After a lapse it ends the guests, and writes down that none is left. Only then, and when the storage takes a record again, does it take
 * the lease anew, in the same order, as the next term of the boot (`src/core/ha/term.ts`): to everybody else that is another boot.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #keeper = randomUUID();
  /** This boot of the host, or the term of it that was begun last. */
  #bootID: string;
  #guests: LeaseGuests;
  readonly #places = new Map<string, Place>();
  #sequence = 0;
  /** What this term is bound to. Absent: nothing was promised in it. */
  #promise: LeaseState | undefined;
  #state: KeeperState = { lapsed: false };
  #watchdog: Watchdog | undefined;
  /** The watchdog is being opened. */
  #arming: Promise<void> | undefined;
  /** Nothing more is promised. */
  #isEnding = false;
  #openedAtMs = Number.NEGATIVE_INFINITY;
  #tickFailed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#bootID = options.bootID;
    this.#guests = options.machine.openGuests(NO_REMAINS);
  }

  /**
   * Keeps it until the signal is aborted and it could take its promise back, or has nothing more to guard.
   * @throws Error when what an earlier keeper of this boot has promised cannot be read.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    this.#resume();
    let renewAtMs = 0;
    let ending: Promise<void> | undefined;
    let hasEnded = false;
    while (!hasEnded) {
      await this.#tick();
      if (clock.monotonicMs() >= renewAtMs && ending === undefined && !hasEnded) {
        renewAtMs = clock.monotonicMs() + RENEW_EVERY_MS;
        this.#renew();
      }
      if (signal.aborted && ending === undefined) {
        ending = this.#end()
          .catch((err: unknown) => {
            log.error({ err }, 'cannot end in good order; trying again');
            return false;
          })
          .then((could) => {
            hasEnded = could;
            ending = undefined;
          });
      }
      await clock.sleep(TICK_MS);
    }
    this.#watchdog?.disarm();
    for (const { files } of this.#places.values()) files.close();
  }

  /** What an earlier keeper of this boot has promised is kept. One that has taken it back has left the name of the term alone. */
  #resume(): void {
    const { folder, bootID, machine } = this.#options;
    const state = folder.readState(bootID);
    if (state === undefined) return;
    this.#bootID = state.bootID;
    if (state.watchdogMs === 0) return;
    const { heldUntilMs, lapsed, remains } = state;
    this.#promise = state;
    this.#state = { heldUntilMs, lapsed };
    this.#guests = machine.openGuests(remains);
  }

  /** Whether what it says of a watchdog stands: one was opened, or another keeper of this boot had one. */
  get #isArmed(): boolean {
    return (this.#promise?.watchdogMs ?? 0) > 0;
  }

  async #tick(): Promise<void> {
    const { machine } = this.#options;
    if (!this.#isArmed) return;
    try {
      if (!this.#state.lapsed && this.#isYielded()) this.#yield();
      const step = keeperStep(this.#state, machine.bootTimeMs(), () => this.#guests.left());
      if (step.state.lapsed && !this.#state.lapsed) this.#lapse();
      this.#state = step.state;
      if (step.kill) this.#kill();
      else if (step.state.lapsed) this.#over();
      else this.#killLate();
      if (step.feed) await this.#feed();
      this.#tickFailed = false;
    } catch (err) {
      // What cannot be fed or looked at is not fed: the host is reset, which is the safe end of it.
      if (!this.#tickFailed) this.#options.log.error({ err }, 'the watchdog was not fed');
      this.#tickFailed = true;
    }
  }

  /** To open it is to feed it, so that neither happens but by the rule: it counts since the keeper before this one, too. */
  async #feed(): Promise<void> {
    if (this.#watchdog === undefined) return await this.#arm();
    try {
      this.#watchdog.feed();
    } catch (error) {
      // Opened anew at the next turn. Until then records speak of none.
      this.#watchdog = undefined;
      throw error;
    }
  }

  /** Kept for the keepers after this one: others may have acted upon it. */
  #lapse(): void {
    const { log } = this.#options;
    log.error(
      { selfFenceMs: this.#promise?.selfFenceMs },
      'the lease could not be renewed in time: it has lapsed for this term',
    );
    this.#keep({ lapsed: true });
  }

  /** As if it could not be renewed any more, and with the same consequences: what others may conclude from its silence holds. */
  #yield(): void {
    this.#options.log.warn('the agent has given the lease up: it lapses for this term');
    this.#state = { ...this.#state, lapsed: true };
    this.#keep({ lapsed: true });
  }

  #kill(): void {
    const { log } = this.#options;
    const domains = this.#guests.kill(this.#remember);
    if (domains.length > 0) log.error({ domains }, "killed Drover's guests: others may run them by now");
  }

  /** Nothing of an earlier term must appear in this one: no keeper would end it with that term. */
  #killLate(): void {
    const { bootID, log } = this.#options;
    if (this.#bootID === bootID) return;
    const domains = this.#guests.killOfOtherTerms(this.#bootID, this.#remember);
    if (domains.length > 0)
      log.error({ domains, bootID: this.#bootID }, "killed Drover's guests that were started for a term that is over");
  }

  readonly #remember = (remains: Remains): void => this.#keep({ remains: { ...remains, killed: [...remains.killed] } });

  /** The lease has lapsed, and no guest is left. From here on it may begin anew, and others may know. */
  #over(): void {
    if (this.#promise?.over) return;
    this.#keep({ over: true });
    this.#options.log.warn({ bootID: this.#bootID }, 'no guest is left of the term whose lease has lapsed');
  }

  #keep(change: Partial<LeaseState>): void {
    if (this.#promise === undefined) return;
    this.#promise = { ...this.#promise, ...change };
    this.#options.folder.writeState(this.#promise);
  }

  /** Begins a write to each datastore that has finished the one before. */
  #renew(): void {
    const { log, folder, machine } = this.#options;
    const isLapsed = this.#state.lapsed;
    if (isLapsed && !this.#promise?.over) return;
    const bound = isLapsed ? undefined : this.#promise?.datastores;
    const datastores = bound ?? folder.readWish().datastores;
    const identities = datastores.map(({ identity }) => identity);
    for (const { root, identity } of datastores) {
      const place = this.#places.get(identity) ?? {
        root,
        files: machine.openFiles(WRITE_TIMEOUT_MS),
        busy: false,
      };
      this.#places.set(identity, place);
      if (place.busy) continue;
      place.busy = true;
      this.#write(identity, place, identities)
        .catch((err: unknown) => log.error({ err }, 'the lease is not taken'))
        .finally(() => {
          place.busy = false;
        });
    }
  }

  async #write(identity: string, place: Place, datastores: string[], isLast = false): Promise<boolean> {
    const startedAtMs = this.#options.machine.bootTimeMs();
    const isNext = this.#state.lapsed;
    const isArmed = this.#isArmed && !isNext;
    const record = this.#record(datastores, { isLast, isNext });
    try {
      await place.files.writeLease({ root: place.root, identity, record });
    } catch (err) {
      this.#options.log.warn({ err, root: place.root }, 'cannot renew the lease on a datastore; trying again');
      return false;
    }
    if (isNext) this.#begin(record.bootID, startedAtMs, datastores);
    else if (isArmed) this.#onRenewed(record.bootID, startedAtMs);
    else if (!isLast) await this.#onReachable(startedAtMs, datastores);
    return true;
  }

  /** It speaks of a watchdog only while there is one that does what was promised, and of the next term before that has promised anything. */
  #record(datastores: string[], { isLast, isNext }: { isLast: boolean; isNext: boolean }): LeaseRecord {
    const { host, selfFenceMs } = this.#options;
    const promisedMs = this.#promise?.watchdogMs ?? 0;
    const isGuarded = !isLast && !isNext && this.#watchdog !== undefined && this.#watchdog.timeoutMs <= promisedMs;
    return {
      host,
      bootID: isNext ? nextTerm(this.#bootID) : this.#bootID,
      keeper: this.#keeper,
      sequence: this.#sequence++,
      selfFenceMs: isNext ? selfFenceMs : (this.#promise?.selfFenceMs ?? selfFenceMs),
      watchdogMs: isGuarded ? promisedMs : 0,
      ...(this.#reachesApi() && { reachesApi: true }),
      datastores,
    };
  }

  /**
   * The storage takes a record of the next term. Whether no guest is left is asked once more: one that was started late for the term
   * before is ended first. The watchdog runs already.
   */
  #begin(bootID: string, startedAtMs: number, identities: readonly string[]): void {
    const { selfFenceMs, folder, log } = this.#options;
    const isDue = this.#state.lapsed && this.#promise?.over && nextTerm(this.#bootID) === bootID;
    if (!isDue || this.#watchdog === undefined || this.#guests.left() > 0) return;
    const promise: LeaseState = {
      bootID,
      selfFenceMs,
      watchdogMs: this.#watchdog.timeoutMs,
      datastores: this.#placesOf(identities),
      heldUntilMs: startedAtMs + selfFenceMs,
      lapsed: false,
      over: false,
      remains: { ...NO_REMAINS, killed: [] },
    };
    folder.writeState(promise);
    this.#promise = promise;
    this.#bootID = bootID;
    this.#state = { lapsed: false, heldUntilMs: promise.heldUntilMs };
    log.warn({ bootID }, 'the storage takes the lease again: the next term of this boot has begun');
  }

  #placesOf(identities: readonly string[]): LeaseState['datastores'] {
    return identities.flatMap((identity) => {
      const root = this.#places.get(identity)?.root;
      return root === undefined ? [] : [{ root, identity }];
    });
  }

  /** What is not known is not said: a lease does not hang on it. */
  #reachesApi(): boolean {
    try {
      const contactMs = this.#options.folder.readContactMs();
      return contactMs !== undefined && this.#options.machine.bootTimeMs() - contactMs < CUT_OFF_AFTER_MS;
    } catch {
      return false;
    }
  }

  /** A wish that cannot be read is none: the lease goes on. */
  #isYielded(): boolean {
    try {
      return this.#options.folder.isYielded(this.#bootID);
    } catch {
      return false;
    }
  }

  #onRenewed(bootID: string, startedAtMs: number): void {
    if (this.#promise === undefined || this.#bootID !== bootID || this.#state.lapsed) return;
    this.#state = renewed(this.#state, startedAtMs, this.#options.machine.bootTimeMs(), this.#promise.selfFenceMs);
    if (this.#state.lapsed) this.#lapse();
    else this.#keep({ heldUntilMs: this.#state.heldUntilMs ?? 0 });
  }

  /** The storage takes records. Is there a watchdog, too, the lease begins to count. */
  async #onReachable(startedAtMs: number, identities: readonly string[]): Promise<void> {
    const { watchdog, selfFenceMs, folder, clock } = this.#options;
    const isTooSoon = clock.monotonicMs() - this.#openedAtMs < OPEN_AGAIN_MS;
    if (watchdog === undefined || this.#isArmed || this.#isEnding || isTooSoon) return;
    this.#promise ??= {
      bootID: this.#bootID,
      selfFenceMs,
      watchdogMs: 0,
      datastores: this.#placesOf(identities),
      heldUntilMs: 0,
      lapsed: false,
      over: false,
      remains: { ...NO_REMAINS, killed: [] },
    };
    this.#state = { lapsed: false, heldUntilMs: startedAtMs + selfFenceMs };
    folder.writeState({ ...this.#promise, heldUntilMs: startedAtMs + selfFenceMs });
    this.#arming = this.#arm();
    await this.#arming;
  }

  async #arm(): Promise<void> {
    const { watchdog: path, machine, clock, log } = this.#options;
    if (path === undefined || this.#watchdog !== undefined) return;
    this.#openedAtMs = clock.monotonicMs();
    // What is taken back while it is being opened is not promised anew.
    const promisedMs = this.#promise?.watchdogMs ?? 0;
    try {
      const opened = await machine.openWatchdog(path);
      this.#watchdog = opened;
      if (promisedMs === 0) this.#keep({ watchdogMs: opened.timeoutMs, heldUntilMs: this.#state.heldUntilMs ?? 0 });
      else if (opened.timeoutMs > promisedMs)
        log.error(
          { promisedMs, timeoutMs: opened.timeoutMs },
          'the watchdog waits longer than was promised for this boot, so that the lease proves nothing: set it back, or reboot the host',
        );
      log.info({ path, timeoutMs: opened.timeoutMs }, 'the watchdog is armed');
    } catch (err) {
      if (!this.#tickFailed)
        log.error({ err, path }, 'the watchdog cannot be opened, so that the lease proves nothing');
    }
  }

  /**
   * Ends in good order: records that speak of no watchdog take the promise back, then the watchdog is stopped. Guests run on. A lapse
   * cannot be taken back.
   * @returns whether it could; it goes on otherwise.
   */
  async #end(): Promise<boolean> {
    this.#isEnding = true;
    await this.#arming;
    if (!this.#isArmed) return true;
    if (this.#state.lapsed) return this.#guests.left() === 0;
    const datastores = this.#promise?.datastores ?? [];
    const identities = datastores.map(({ identity }) => identity);
    const written = await Promise.all(
      datastores.map(async ({ identity }) => {
        const place = this.#places.get(identity);
        return place !== undefined && !place.busy && (await this.#write(identity, place, identities, true));
      }),
    );
    if (this.#state.lapsed || written.length === 0 || written.includes(false)) return false;
    // The name of the term stays: what was proven of an earlier one must not come to speak of a later one.
    this.#keep({ watchdogMs: 0, heldUntilMs: 0 });
    return true;
  }
}
