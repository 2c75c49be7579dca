import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readConsoleCounters } from '../../lab/guest/console-counters.ts';

const A = 'aaaaaaaa';
const B = 'bbbbbbbb';

describe('what a guest console proves', () => {
  it.each([
    {
      story: 'one boot',
      counts: [
        [A, 1],
        [A, 2],
        [A, 3],
      ],
      fault: undefined,
    },
    {
      story: 'a log that begins later',
      counts: [
        [A, 7],
        [A, 8],
      ],
      fault: undefined,
    },
    {
      story: 'a reboot',
      counts: [
        [A, 1],
        [A, 2],
        [B, 3],
      ],
      fault: undefined,
    },
    {
      story: 'a power cut between disk and console',
      counts: [
        [A, 1],
        [A, 2],
        [B, 4],
      ],
      fault: undefined,
    },
    {
      story: 'console lines missing at a reboot',
      counts: [
        [A, 2],
        [B, 5],
      ],
      fault: 'Gap',
    },
    {
      story: 'console lines missing',
      counts: [
        [A, 1],
        [A, 3],
      ],
      fault: 'Gap',
    },
    {
      story: 'a number twice',
      counts: [
        [A, 1],
        [A, 1],
      ],
      fault: 'Backwards',
    },
    {
      story: 'an earlier number',
      counts: [
        [A, 5],
        [A, 4],
      ],
      fault: 'Backwards',
    },
    {
      story: 'a disk that forgot a number after a power cut',
      counts: [
        [A, 5],
        [B, 5],
      ],
      fault: 'LostWrite',
    },
    {
      story: 'a disk that forgot many',
      counts: [
        [A, 5],
        [B, 1],
      ],
      fault: 'LostWrite',
    },
    {
      story: 'two copies in turns',
      counts: [
        [A, 5],
        [B, 6],
        [A, 7],
      ],
      fault: 'SecondOwner',
    },
    { story: 'nothing', counts: [], fault: 'Empty' },
  ] as const)('$story: $fault', ({ counts, fault }) => {
    const { verdict } = readConsoleCounters(counts.map(([boot, counter]) => line(counter, boot)).join(''));
    expect(verdict.ok ? undefined : verdict.reason).toBe(fault);
  });

  it('believes the guest when it says that it found a stranger’s record, or could not write', () => {
    const intruder = `${line(1, A)}drover-guest web-1 intruder="x" expected="y"\r\n${line(2, A)}`;
    expect(readConsoleCounters(intruder).verdict).toMatchObject({ reason: 'SecondOwner' });
    const error = `${line(1, A)}drover-guest web-1 error="cannot write counter 2 to /dev/vda1"\r\n`;
    expect(readConsoleCounters(error).verdict).toMatchObject({ reason: 'WriteError' });
  });

  it('finds the lines among kernel messages, a shell prompt and what else is on a console', () => {
    const log = `SeaBIOS\r\n/ # drover-guest web-1 counter=4 boot=${A}\r\n[ 1.2] noise\r\ndrover-guest web-1 eth0=192.0.2.7/24\r\n${line(5, A)}drover-guest web-1 counter=6 bo`;
    const { readings, boots, verdict } = readConsoleCounters(log);
    expect(readings).toEqual([
      { hostname: 'web-1', counter: 4, boot: A },
      { hostname: 'web-1', counter: 5, boot: A },
    ]);
    expect(boots).toEqual([A]);
    expect(verdict).toEqual({ ok: true });
  });

  it('accepts every unbroken count and notices every line that is taken out of one', () => {
    const run = fc.record({ first: fc.nat(1e6), length: fc.integer({ min: 3, max: 50 }), taken: fc.nat(1e6) });
    fc.assert(
      fc.property(run, ({ first, length, taken }) => {
        const lines = Array.from({ length }, (_, index) => line(first + index, A));
        expect(readConsoleCounters(lines.join('')).verdict).toEqual({ ok: true });
        lines.splice(1 + (taken % (length - 2)), 1);
        expect(readConsoleCounters(lines.join('')).verdict).toMatchObject({ reason: 'Gap' });
      }),
    );
  });
});

function line(counter: number, boot: string): string {
  return `drover-guest web-1 counter=${counter} boot=${boot}\r\n`;
}
