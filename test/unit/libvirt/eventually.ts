import { setTimeout as delay } from 'node:timers/promises';

/** Waits for a condition, bounded. @throws when it does not come true. */
export async function eventually(what: string, condition: () => boolean, limitMs = 15_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(2);
  }
}

/** The error of a promise that must fail. */
export async function failure<E extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...args: never) => E,
): Promise<E> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error('expected a failure');
}
