import type { VirtualMachineInstanceStatus } from '../../api/virtual-machine-instance.ts';
import type { Verdict } from '../model/verdict.ts';
import type { Situation } from './situation.ts';

export type Phase = NonNullable<VirtualMachineInstanceStatus['phase']>;

/** Whether a domain in this phase is what the intent wants. A guest that was allowed to switch itself off is. */
export function readiness(
  { instance, isIsolated }: Situation,
  { phase, reason, message }: { readonly phase: Phase; readonly reason?: string; readonly message?: string },
): Verdict {
  if (isIsolated) {
    const text = 'The host is cut off from all others, and ends its VMs as the HAPolicy says (isolationResponse).';
    return { ok: false, reason: 'HostIsolated', message: text };
  }
  const wanted = instance.spec.powerState;
  const isWanted = phase === wanted || (phase === 'Off' && reason === 'GuestShutdown');
  if (isWanted) return { ok: true };
  return { ok: false, reason: reason ?? phase, message: message ?? `The domain is ${phase}; it shall be ${wanted}.` };
}
