import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { ObservedDomain, Run, ShutdownUnderWay, Stop } from './situation.ts';

/**
 * The last run when this host has no record of it (its state directory was lost, or the domain came from elsewhere): as
 * the domain itself and the status tell it.
 */
export function runWithoutRecord(
  { spec, status }: VirtualMachineInstance,
  host: string,
  domain: ObservedDomain | undefined,
): Run | undefined {
  const counters = countersOf(status);
  if (domain !== undefined) {
    return { epoch: domain.epoch, restartedAt: domain.restartedAt, startedAt: domain.startedAt, ...counters };
  }
  if (status?.host !== host || status.observedEpoch !== spec.epoch) return undefined;
  const startedAt = status.startedAt ?? status.lastStop?.at;
  // Where it does not run, the last stop is its own, and not that of the run before.
  const { lastStop: _own, ...withoutStop } = counters;
  return startedAt === undefined
    ? undefined
    : {
        epoch: spec.epoch,
        restartedAt: status.restartedAt ?? '',
        startedAt,
        ...(status.bootID !== undefined && { bootID: status.bootID }),
        ...(status.startedAt === undefined ? withoutStop : counters),
      };
}

function countersOf(
  status: VirtualMachineInstance['status'],
): Pick<Run, 'restarts' | 'restartDelaySeconds' | 'lastStop'> {
  const { restarts = 0, restartDelaySeconds, lastStop } = status ?? {};
  return {
    restarts,
    ...(restartDelaySeconds !== undefined && { restartDelaySeconds }),
    ...(lastStop && { lastStop }),
  };
}

/**
 * How the last run ended, if the status already says so: a stop that is later than the start, and not the one before it, which may seem later where the
 * clock was set back.
 */
export function endInStatus({ status }: VirtualMachineInstance, host: string, run: Run): Stop | undefined {
  const stop = status?.host === host ? status.lastStop : undefined;
  const isOfThisRun = stop !== undefined && !(stop.at === run.lastStop?.at && stop.reason === run.lastStop.reason);
  return isOfThisRun && Date.parse(stop.at) >= Date.parse(run.startedAt) ? stop : undefined;
}

/** Whether the status shows that the agent had asked for the stop: the agent that asked may have died since. */
export function stopAskedInStatus({ status, spec }: VirtualMachineInstance, host: string): boolean {
  if (status?.host !== host || status.observedEpoch !== spec.epoch) return false;
  return status.phase === 'Stopping' || (status.phase === 'Off' && status.reason === 'PoweredOff');
}

/** A shutdown of this very domain that an earlier agent asked for: the grace it gave is not given again. */
export function shutdownInStatus(
  instance: VirtualMachineInstance,
  host: string,
  domain: ObservedDomain | undefined,
): ShutdownUnderWay | undefined {
  const { powerOffAt, startedAt } = instance.status ?? {};
  if (powerOffAt === undefined || startedAt !== domain?.startedAt || !stopAskedInStatus(instance, host))
    return undefined;
  return { powerOffAtMs: Date.parse(powerOffAt) };
}
