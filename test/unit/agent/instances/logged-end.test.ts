import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { domainLogPath, loggedEnd } from '../../../../src/agent/instances/logged-end.ts';
import { hostFiles } from '../../../../src/host/index.ts';
import { run } from '../../../builders/situation.ts';

const NOW = new Date('2026-11-22T22:00:00.000Z');
const line = (time: string, what: string) => `2026-11-22 ${time}.000+0000: ${what}\n`;
const earlier = `${line('21:35:36', 'starting up libvirt version: 9.0.0')}${line('21:35:40', 'shutting down, reason=migrated')}`;
const began = line('21:40:00', 'starting up libvirt version: 9.0.0');
const migrated = { began: true, at: '2026-11-22T20:00:00.000Z', reason: 'Migrated' };
const lost = { began: true, at: NOW.toISOString(), reason: 'Lost' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/drover-logged-end-`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** @param log undefined: there is none */
async function endBy(log: string | undefined, logOffset: number | undefined) {
  rmSync(domainLogPath(folder, 'vm'), { force: true });
  if (log !== undefined) writeFileSync(domainLogPath(folder, 'vm'), log);
  return await loggedEnd(hostFiles, folder, 'vm', run({ ...(logOffset !== undefined && { logOffset }) }), NOW);
}

describe('the end of a run that no agent saw', () => {
  it.each([
    ['never came, since the run did not begin: nothing was written after it was decided', earlier, { began: false }],
    ['never came, since there is no log at all', undefined, { began: false }],
    [
      'is what was written after it was decided',
      `${earlier}${began}${line('20:00:00', 'shutting down, reason=migrated')}`,
      migrated,
    ],
    ['was a loss, where the log ends with its beginning', `${earlier}${began}`, lost],
    [
      'is no end where the start failed',
      `${earlier}${began}${line('21:40:01', 'shutting down, reason=failed')}`,
      { began: false },
    ],
    [
      'was a loss, where QEMU has written too much for its beginning to be found',
      `${earlier}${began}${'x\n'.repeat(40_000)}`,
      lost,
    ],
  ])('%s', async (_what, log, expected) => {
    expect(await endBy(log, log === undefined ? 0 : earlier.length)).toEqual(expected);
  });

  it('is looked for in the whole log where that is shorter than it was: another one was begun', async () => {
    const log = line('20:00:00', 'shutting down, reason=migrated');
    expect(await endBy(log, 1_000_000)).toEqual(migrated);
    expect(await endBy('QEMU says something\n', 1_000_000)).toEqual(lost);
  });

  it('is the last one in the log of a VM that came from another host, which was seen to run here', async () => {
    expect(await endBy(`${earlier}${began}${line('20:00:00', 'shutting down, reason=migrated')}`, undefined)).toEqual(
      migrated,
    );
    expect(await endBy(`${earlier}${began}`, undefined)).toEqual(lost);
    expect(await endBy(undefined, undefined)).toEqual(lost);
  });
});
