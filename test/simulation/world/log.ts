import type { Timeline } from '../engine/timeline.ts';

/** Facts of one run in virtual time, one line each: `00:12.300 host-2 domain default/web started`. */
export class FactLog {
  readonly lines: string[] = [];
  readonly #timeline: Timeline;
  #awaited: { readonly words: string; readonly callback: () => void }[] = [];

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  add(who: string, what: string): void {
    const line = `${who} ${what}`;
    this.lines.push(`${clockTime(this.#timeline.nowMs)} ${line}`);
    const said = this.#awaited.filter(({ words }) => line.includes(words));
    if (said.length === 0) return;
    this.#awaited = this.#awaited.filter(({ words }) => !line.includes(words));
    for (const { callback } of said) callback();
  }

  /** Whoever waits for a line is not told any more. */
  awaitNothing(): void {
    this.#awaited = [];
  }

  /** Calls back when a line says these words for the first time. */
  once(words: string, callback: () => void): void {
    this.#awaited.push({ words, callback });
  }
}

/** Minutes, seconds and milliseconds since the beginning. */
export function clockTime(ms: number): string {
  const padded = (value: number, digits: number) => String(value).padStart(digits, '0');
  return `${padded(Math.floor(ms / 60_000), 2)}:${padded(Math.floor(ms / 1000) % 60, 2)}.${padded(ms % 1000, 3)}`;
}
