import { readFile } from 'node:fs/promises';

/** The kernel's boot id: another one after every boot (random(4)). */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
