import { describe, expect, it } from 'vitest';
import type { VirtualMachineInstanceStatus } from '../../../../src/api/virtual-machine-instance.ts';
import {
  endInStatus,
  runWithoutRecord,
  shutdownInStatus,
  stopAskedInStatus,
} from '../../../../src/core/instance/index.ts';
import { ago, domain, run } from '../../../builders/situation.ts';
import { instance } from '../../../builders/virtual-machine-instance.ts';

const HOST = 'host-a';
const statusOf = (changes: Partial<VirtualMachineInstanceStatus>): VirtualMachineInstanceStatus => ({
  host: HOST,
  observedEpoch: 1,
  conditions: [],
  ...changes,
});
const withStatus = (changes: Partial<VirtualMachineInstanceStatus>) => instance({ status: statusOf(changes) });

describe('the last run of a VM that this host has no record of', () => {
  it('is that of the domain which is there, with the counts of the status', () => {
    const found = domain({ epoch: 3, restartedAt: 'b', startedAt: ago(9) });
    expect(runWithoutRecord(withStatus({ restarts: 2, restartDelaySeconds: 10 }), HOST, found)).toEqual({
      epoch: 3,
      restartedAt: 'b',
      startedAt: ago(9),
      restarts: 2,
      restartDelaySeconds: 10,
    });
  });

  it('is that of the status which this host wrote', () => {
    expect(runWithoutRecord(withStatus({ startedAt: ago(9), restartedAt: 'b' }), HOST, undefined)).toMatchObject({
      epoch: 1,
      restartedAt: 'b',
      startedAt: ago(9),
    });
  });

  it.each([
    ['there is no status', instance()],
    ['another host wrote it', withStatus({ host: 'host-b', startedAt: ago(9) })],
    ['it speaks of an older epoch', withStatus({ observedEpoch: 0, startedAt: ago(9) })],
    ['it was never started', withStatus({ phase: 'Failed' })],
  ])('does not exist when %s', (_why, vmi) => {
    expect(runWithoutRecord(vmi, HOST, undefined)).toBeUndefined();
  });
});

describe('the end of a run in the status', () => {
  const stop = { at: ago(5), reason: 'Crashed' } as const;

  it('is the stop after its start', () => {
    expect(endInStatus(withStatus({ lastStop: stop }), HOST, run({ startedAt: ago(6) }))).toEqual(stop);
  });

  it('is not the stop before, also when the clock was set back since and the start seems earlier', () => {
    const found = endInStatus(withStatus({ lastStop: stop }), HOST, run({ startedAt: ago(6), lastStop: { ...stop } }));
    expect(found).toBeUndefined();
  });

  it('is the last stop where the run is known by the status alone', () => {
    const vmi = withStatus({ phase: 'Off', lastStop: stop });
    const known = runWithoutRecord(vmi, HOST, undefined);
    expect(known && endInStatus(vmi, HOST, known)).toEqual(stop);
  });

  it.each([
    ['it is of an earlier run', withStatus({ lastStop: stop }), ago(4)],
    ['another host wrote it', withStatus({ host: 'host-b', lastStop: stop }), ago(6)],
    ['there is none', withStatus({}), ago(6)],
  ])('is not known when %s', (_why, vmi, startedAt) => {
    expect(endInStatus(vmi, HOST, run({ startedAt }))).toBeUndefined();
  });
});

describe('a stop that an earlier agent asked for', () => {
  it.each([
    ['Stopping', undefined, true],
    ['Off', 'PoweredOff', true],
    ['Off', 'GuestShutdown', false],
    ['Running', undefined, false],
    ['CrashLoop', 'Crashed', false],
  ] as const)('%s %s: %s', (phase, reason, asked) => {
    expect(stopAskedInStatus(withStatus({ phase, ...(reason && { reason }) }), HOST)).toBe(asked);
  });

  it('counts only for this epoch and host', () => {
    expect(stopAskedInStatus(withStatus({ phase: 'Stopping', observedEpoch: 0 }), HOST)).toBe(false);
    expect(stopAskedInStatus(withStatus({ phase: 'Stopping', host: 'host-b' }), HOST)).toBe(false);
  });
});

describe('a shutdown that an earlier agent asked for', () => {
  const stopping = { phase: 'Stopping', startedAt: ago(60), powerOffAt: ago(-30) } as const;

  it('is still under way in the domain that it was asked of', () => {
    const found = shutdownInStatus(withStatus(stopping), HOST, domain({ startedAt: ago(60) }));
    expect(found).toEqual({ powerOffAtMs: Date.parse(ago(-30)) });
  });

  it.each([
    ['the domain is another one', stopping, domain({ startedAt: ago(10) })],
    ['the domain is gone', stopping, undefined],
    ['another host asked', { ...stopping, host: 'host-b' }, domain({ startedAt: ago(60) })],
    ['none was asked for', { phase: 'Running', startedAt: ago(60) } as const, domain({ startedAt: ago(60) })],
  ])('is not under way when %s', (_why, status, found) => {
    expect(shutdownInStatus(withStatus(status), HOST, found)).toBeUndefined();
  });
});
