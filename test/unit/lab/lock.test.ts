import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../lab/lock.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'drover-lock-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const ignore = () => undefined;

describe('a lock', () => {
  it('lets one work at a time, in this process', async () => {
    const file = join(scratch, 'lock');
    let inside = 0;
    const most = await Promise.all(
      Array.from({ length: 8 }, () =>
        withLock(file, ignore, async () => {
          inside += 1;
          const seen = inside;
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          return seen;
        }),
      ),
    );
    expect(most).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('lets one process work at a time, and ends with the process that holds it', async () => {
    const file = join(scratch, 'lock');
    const log = join(scratch, 'log');
    const script = `
      import { appendFileSync } from 'node:fs';
      import { withLock } from ${JSON.stringify(join(import.meta.dirname, '../../lab/lock.ts'))};
      await withLock(${JSON.stringify(file)}, () => undefined, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in ');
        await new Promise((resolve) => setTimeout(resolve, 20));
        appendFileSync(${JSON.stringify(log)}, 'out ');
        process.kill(process.pid, 'SIGKILL');
      });`;
    const others = Array.from({ length: 3 }, () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]),
    );
    for (const other of await Promise.allSettled(others)) expect(other.status).toBe('rejected');
    expect(readFileSync(log, 'utf8')).toBe('in out in out in out ');
  });

  it('is free after work that failed', async () => {
    const file = join(scratch, 'lock');
    await expect(withLock(file, ignore, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLock(file, ignore, async () => 'next')).toBe('next');
  });

  it('still excludes when its holder deletes the file, as "down" does', async () => {
    const file = join(scratch, 'lock');
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(`${name} in`);
      rmSync(file, { force: true });
      await new Promise((resolve) => setTimeout(resolve, 10));
      order.push(`${name} out`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => withLock(file, ignore, work(name))));
    for (let step = 0; step < order.length; step += 2) {
      expect(order[step + 1]).toBe(order[step]?.replace('in', 'out'));
    }
    expect(existsSync(file)).toBe(false);
  });
});
