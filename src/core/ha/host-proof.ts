import type { HostAvailability, ProofMethod } from '../../api/host-availability.ts';
import { ASK_EVERY_MS, type HostInput, type HostStep, inState, isAliveNow, iso, WATCH_EVERY_MS } from './host-step.ts';

/** The boot is over, and something other than our own order has shown it. */
export function proven(input: HostInput, method: ProofMethod, reason: string, message: string): HostStep {
  const { nowMs, bootID, before } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const at = iso(nowMs);
  const isStandby = isOnStandby(input, method);
  const step = isStandby
    ? inState(input, 'Standby', 'PoweredOffInMaintenance', STANDBY, WATCH_EVERY_MS)
    : inState(input, 'Fenced', reason, message, WATCH_EVERY_MS);
  const fence = { bootID, method, startedAt: known?.startedAt ?? at, attempts: known?.attempts ?? 0, confirmedAt: at };
  return { ...step, availability: { ...step.availability, fence } };
}

const STANDBY = 'it is off, and was emptied for maintenance before: nothing is amiss';

/** Whether it was powered off on purpose. A lease proves that its VMs are over, and not that it is off. */
function isOnStandby({ inMaintenance, placed }: HostInput, method: ProofMethod): boolean {
  return inMaintenance && placed === 0 && method !== 'StorageLease';
}

/** A fact, and no deed: it holds whatever is to be done about it, and however many hosts are silent. */
export function leaseLapsed(input: HostInput): HostStep | undefined {
  const { lease, bootID } = input;
  if (lease.kind === 'Followed') {
    const message = `host ${lease.by} sees that its keeper holds the lease on storage as ${lease.next}, which it does only when every VM of boot ${bootID} has ended`;
    return proven(input, 'StorageLease', 'LeaseLapsed', message);
  }
  if (lease.kind !== 'Lapsed') return undefined;
  const message = `host ${lease.by} has not seen it renew its lease on storage for ${Math.floor(lease.silentMs / 1000)} s: its keeper or its watchdog has ended every VM of boot ${bootID}`;
  return proven(input, 'StorageLease', 'LeaseLapsed', message);
}

/** The host lives, and serves again as soon as its storage is back. */
export const AWAITS_STORAGE = 'AwaitsStorage';

export function awaitsStorage(bootID: string): string {
  return `the host answers, but it could not renew its lease on storage, and has ended every VM of boot ${bootID}: others run them. It serves again by itself once its shared datastores take its lease: look at them, and at its network to them`;
}

export const CONFIRMATION_REFUSED = 'ConfirmationRefused';

/** Whether this very confirmation was made while the boot was alive. */
export function isRefusedOnce({ before, bootID, confirmed }: HostInput): boolean {
  return confirmed === bootID && before?.bootID === bootID && before.refusedConfirmation === bootID;
}

/** Whether an administrator's word proves that the boot is over. */
export function isConfirmed(input: HostInput): boolean {
  return input.confirmed === input.bootID && !isRefusedOnce(input);
}

export function confirmedByHand(input: HostInput): HostStep {
  const message = `an administrator has confirmed that boot ${input.bootID} is over`;
  return proven(input, 'Administrator', 'ConfirmedByAdministrator', message);
}

/** It stays so until another boot, or term of it, reports. The same boot that answers gives its proof the lie. */
export function fenced(input: HostInput, before: HostAvailability): HostStep {
  const { answer, bootID, nowMs } = input;
  if (before.fence === undefined) return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
  if (answer !== 'Agent') {
    // Somebody is there, perhaps another boot that has not reported yet: nothing new is concluded of this one.
    if (isAliveNow(input)) return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
    // It says more than a lease does: also VMs that had just been moved there are over.
    if (isConfirmed(input) && before.fence.method === 'StorageLease') return confirmedByHand(input);
    const isStandby = isOnStandby(input, before.fence.method);
    if (isStandby === (before.state === 'Standby'))
      return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
    return isStandby
      ? inState(input, 'Standby', 'PoweredOffInMaintenance', STANDBY, WATCH_EVERY_MS)
      : inState(
          input,
          'Fenced',
          'MaintenanceOver',
          'it is off, although it is in maintenance no more: power it on',
          WATCH_EVERY_MS,
        );
  }
  // A lease ends VMs, and not always their host: it may answer, and has nothing of that boot to run.
  if (before.fence.method === 'StorageLease') {
    const availability = { ...before, reason: AWAITS_STORAGE, message: awaitsStorage(bootID) };
    return { availability, fence: false, againMs: WATCH_EVERY_MS };
  }
  const { confirmedAt: _confirmedAt, ...fence } = before.fence;
  const message = `the host answers although boot ${bootID} was proven to be over by ${before.fence.method}: what reads its power must be another machine's, or an administrator was wrong. VMs that were restarted elsewhere may run twice. Power the host off by hand at once, and check spec.power.bmc`;
  return {
    availability: { ...before, state: 'Suspect', since: iso(nowMs), reason: 'ProofContradicted', message, fence },
    fence: false,
    againMs: ASK_EVERY_MS,
  };
}
