import type { Timeline } from '../engine/timeline.ts';

/** Facts of one run in virtual time, one line each: `00:12.300 host-2 domain default/web started`. */
export class FactLog {
  readonly lines: string[] = [];
  readonly #timeline: Timeline;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  add(who: string, what: string): void {
    this.lines.push(`${clockTime(this.#timeline.nowMs)} ${who} ${what}`);
  }
}

/** Minutes, seconds and milliseconds since the beginning. */
export function clockTime(ms: number): string {
  const padded = (value: number, digits: number) => String(value).padStart(digits, '0');
  return `${padded(Math.floor(ms / 60_000), 2)}:${padded(Math.floor(ms / 1000) % 60, 2)}.${padded(ms % 1000, 3)}`;
}
