import { readFileSync } from 'node:fs';

/**
 * Time since the host was booted, in milliseconds, its sleep included (proc_uptime(5): CLOCK_BOOTTIME). Never goes back, and is the same
 * for all processes of the host: guests that were frozen with it and run on have used up their time.
 */
export function bootTimeMs(): number {
  return Math.round(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000);
}
