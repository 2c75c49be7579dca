import type { Timer } from '../../../src/kube/index.ts';
import type { Random } from './random.ts';

/** In which order things happen that are due in the same millisecond. */
export type Order = { readonly kind: 'fixed' } | { readonly kind: 'random'; readonly random: Random };

interface Entry {
  readonly dueMs: number;
  /** Among entries of the same time the smaller one comes first. */
  readonly rank: number;
  readonly number: number;
  callback: (() => void) | undefined;
}

/** Steps that share one turn of Node's event loop: a turn costs more than a step. */
const STEPS_PER_TURN = 64;

/**
 * Virtual time: what is to happen, and when. It stands still while a step and every promise that follows from it are
 * worked off, and then jumps to the next step.
 *
 * Node empties the queue of microtasks after each callback of `setImmediate`, also between two of the same turn. So one
 * callback per step is all that it takes, as long as nothing in the simulated world waits for real time or real I/O.
 */
export class Timeline {
  readonly #order: Order;
  readonly #heap: Entry[] = [];
  readonly #onEnd: (() => void)[] = [];
  #count = 0;
  #nowMs = 0;
  #steps = 0;

  constructor(order: Order) {
    this.#order = order;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Steps so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Calls back after `delayMs`, rounded up to whole milliseconds. */
  after(delayMs: number, callback: () => void): Timer {
    const dueMs = this.#nowMs + Math.max(0, Math.ceil(delayMs));
    const number = this.#count++;
    const rank = this.#order.kind === 'fixed' ? number : this.#order.random();
    const entry: Entry = { dueMs, rank, number, callback };
    this.#push(entry);
    return {
      cancel: () => {
        entry.callback = undefined;
      },
    };
  }

  /**
   * Lets time pass until `untilMs`.
   * @param afterStep called when all that follows from a step is worked off; what it throws ends the run
   */
  async run(untilMs: number, afterStep: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let isOver = false;
    const step = (): void => {
      if (isOver) return;
      try {
        afterStep();
        const next = this.#popBefore(untilMs);
        if (next !== undefined) {
          next();
          return;
        }
        this.#nowMs = untilMs;
        isOver = true;
        resolve();
      } catch (error) {
        isOver = true;
        reject(error);
      }
    };
    const turn = (): void => {
      for (let count = 0; count < STEPS_PER_TURN; count++) setImmediate(step);
      setImmediate(() => {
        if (!isOver) turn();
      });
    };
    turn();
    await promise;
  }

  onEnd(callback: () => void): void {
    this.#onEnd.push(callback);
  }

  /** Nothing happens any more: what waits may be forgotten. */
  end(): void {
    this.#heap.length = 0;
    for (const callback of this.#onEnd.splice(0)) callback();
  }

  #popBefore(untilMs: number): (() => void) | undefined {
    for (let first = this.#heap[0]; first !== undefined && first.dueMs <= untilMs; first = this.#heap[0]) {
      this.#pop();
      if (first.callback === undefined) continue;
      this.#nowMs = first.dueMs;
      this.#steps++;
      return first.callback;
    }
    return undefined;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || isBefore(parent, entry)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        childIndex++;
        child = right;
      }
      if (child === undefined || isBefore(last, child)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  if (a.dueMs !== b.dueMs) return a.dueMs < b.dueMs;
  return a.rank !== b.rank ? a.rank < b.rank : a.number < b.number;
}
