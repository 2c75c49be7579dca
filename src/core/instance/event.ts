import type { Step } from './next-step.ts';
import type { Situation } from './situation.ts';
import { hostFailed } from './status.ts';

/** Something that the owner of a VM should be told when it happens, besides what the status says from then on. */
export interface InstanceEvent {
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, stable. */
  readonly reason: string;
  /** What the agent does about it, CamelCase. */
  readonly action: string;
  readonly note: string;
}

/**
 * What a step is worth telling. A VM that is started, stopped or paused because its owner said so needs no word: an
 * event is an object in etcd.
 */
export function eventOf(situation: Situation, step: Step): InstanceEvent | undefined {
  switch (step.step) {
    case 'Adopt':
      return { type: 'Normal', reason: 'Adopted', action: 'Adopting', note: `The domain ${step.why}; it runs on.` };
    case 'Start':
      return step.run.restarts > (situation.run?.restarts ?? 0)
        ? warning('Restarted', 'Starting', `Started again since ${step.why}.`)
        : undefined;
    case 'Resume':
      return situation.resumeAtMs === undefined ? undefined : warning('IOError', 'Resuming', `Resumed: ${step.why}.`);
    case 'Destroy':
      return situation.instance.spec.gracePeriodSeconds === 0
        ? undefined
        : warning('PowerCut', 'PoweringOff', `The power was cut: ${step.why}.`);
    case 'Reset':
      return warning(step.fault.reason, 'Resetting', `The guest has failed: ${step.why}. It is reset.`);
    case 'EndCrashed':
      return warning(step.fault.reason, 'Restarting', `The guest has failed: ${step.why}. Its domain is ended.`);
    case 'GuestFailed':
      return step.action === 'Restart'
        ? warning(
            step.fault.reason,
            'Restarting',
            `The guest has failed: ${step.fault.words}. It is started elsewhere.`,
          )
        : warning(
            'GuestResetsExhausted',
            'Waiting',
            `The guest has failed: ${step.fault.words}. After ${step.resets} resets it is left as it is.`,
          );
    case 'AwaitStorage':
      return warning('IOError', 'Waiting', 'A disk failed or its datastore is full: the guest is paused.');
    case 'StayOff':
      if (step.reason === 'HostFailed') return warning('HostFailed', 'StayingOff', hostFailed(situation));
      return step.reason === 'GuestShutdown'
        ? { type: 'Normal', reason: 'GuestShutdown', action: 'StayingOff', note: 'The guest switched itself off.' }
        : undefined;
    case 'AwaitRestart':
      return warning('CrashLoop', 'Waiting', `It stopped by itself again (${step.stop.reason}); the next start waits.`);
    case 'Blocked':
      return warning(step.reason, 'Waiting', step.message);
    case 'Refused':
      return warning(step.refusal.reason, 'Starting', step.refusal.message);
    case 'RefuseEpoch':
      return warning(
        'OldEpoch',
        'Refusing',
        `The host has seen a newer placement than ${situation.instance.spec.epoch}.`,
      );
    default:
      return undefined;
  }
}

function warning(reason: string, action: string, note: string): InstanceEvent {
  return { type: 'Warning', reason, action, note };
}
