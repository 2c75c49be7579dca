import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { MAX_LEASE_DATASTORES } from '../../api/storage-lease.ts';
import { kernelBootOf } from '../../core/ha/term.ts';
import { isSystemError } from '../../host/index.ts';

/**
 * How agent and lease keeper of a host speak with each other: by two files below the agent's `--run-dir`, which a reboot takes. So
 * each can end, hang and start without the other.
 */
const WISH = 'wish.json';
const STATE = 'state.json';
const YIELD = 'yield.json';
const CONTACT = 'contact.json';

const Place = z.object({ root: z.string(), identity: z.string() });

/** What the agent wants the lease to lie on. Sorted by identity. */
const Wish = z.object({ datastores: z.array(Place).max(MAX_LEASE_DATASTORES) });
export type LeaseWish = z.output<typeof Wish>;

/** What the keeper has bound this term to, and how it stands. */
const State = z.object({
  /** Boot of the host, or the term of one: see `src/core/ha/term.ts`. */
  bootID: z.string(),
  selfFenceMs: z.int().min(1),
  /** 0: none is armed, and nothing is promised. */
  watchdogMs: z.int().min(0),
  datastores: z.array(Place).min(1).max(MAX_LEASE_DATASTORES),
  /** By the host's clock since boot. Guests may be started before that, and run until then. */
  heldUntilMs: z.number(),
  lapsed: z.boolean(),
  /** It has lapsed, and no guest of it was found any more. */
  over: z.boolean().default(false),
  /** What was killed, and may not be gone. */
  remains: z
    .object({
      killed: z.array(z.object({ pid: z.int(), startTicks: z.string() })),
      needsReset: z.boolean(),
    })
    .default({ killed: [], needsReset: false }),
});
export type LeaseState = z.output<typeof State>;

/** The boot whose lease the agent gives up. */
const Yield = z.object({ bootID: z.string() });

/** When the agent has reached the API server last, by the host's clock since boot. */
const Contact = z.object({ atMs: z.number() });

/** What agent and keeper know of each other. */
export type LeaseNotes = Pick<
  LeaseFolder,
  | 'readWish'
  | 'writeWish'
  | 'readState'
  | 'writeState'
  | 'yieldLease'
  | 'yielded'
  | 'isYielded'
  | 'writeContact'
  | 'readContactMs'
>;

export class LeaseFolder {
  readonly #path: string;

  /** @param path need not exist yet */
  constructor(path: string) {
    this.#path = path;
  }

  readWish(): LeaseWish {
    return this.#read(WISH, Wish) ?? { datastores: [] };
  }

  writeWish(wish: LeaseWish): void {
    this.#write(WISH, wish);
  }

  /**
   * @param bootID the kernel's, or any term of it
   * @returns the last term of that boot. Undefined: no lease was taken in it.
   * @throws Error when it cannot be read: what it says is not known then.
   */
  readState(bootID: string): LeaseState | undefined {
    const state = this.#read(STATE, State);
    return state && kernelBootOf(state.bootID) === kernelBootOf(bootID) ? state : undefined;
  }

  writeState(state: LeaseState): void {
    this.#write(STATE, state);
  }

  /** The agent wants the lease of this boot, or term of it, to end: it runs no VM any more, and starts none in it. */
  yieldLease(bootID: string): void {
    this.#write(YIELD, { bootID });
  }

  /** Boot, or term of it, that was given up last. Undefined: none since the machine was started. */
  yielded(): string | undefined {
    return this.#read(YIELD, Yield)?.bootID;
  }

  isYielded(bootID: string): boolean {
    return this.#read(YIELD, Yield)?.bootID === bootID;
  }

  /** The agent has reached the API server now, by the host's clock since boot. */
  writeContact(atMs: number): void {
    this.#write(CONTACT, { atMs });
  }

  /** Undefined: never in this boot. */
  readContactMs(): number | undefined {
    return this.#read(CONTACT, Contact)?.atMs;
  }

  #read<T>(name: string, schema: z.ZodType<T>): T | undefined {
    try {
      return schema.parse(JSON.parse(readFileSync(join(this.#path, name), 'utf8')));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** A reader finds the old or the new, and never a part. */
  #write(name: string, content: object): void {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    const partial = join(this.#path, `.${name}.${randomUUID()}`);
    writeFileSync(partial, JSON.stringify(content), { mode: 0o600 });
    renameSync(partial, join(this.#path, name));
  }
}
