import { endOfWait } from '../model/clock.ts';
import { attempt } from './fencing.ts';
import { isRefusedOnce } from './host-proof.ts';
import {
  ASK_EVERY_MS,
  detectedAtMs,
  type HostInput,
  type HostStep,
  inState,
  iso,
  WATCH_EVERY_MS,
} from './host-step.ts';

/** Nothing was heard of it on any path. Whether, and how, it is made sure to be off. */
export function dead(input: HostInput, nowMs: number): HostStep {
  const { policy, toRecover, power, cluster } = input;
  const { hostFault, fencing: how } = policy;
  const silence = 'no sign of life on any path';
  if (hostFault.action !== 'Restart') {
    const what =
      hostFault.action === 'None' ? 'its VMs stay off until an administrator acts' : 'its VMs wait for it to come back';
    return inState(
      input,
      'Dead',
      'NotToBeFenced',
      `${silence}; ${what} (HAPolicy, hostFault.action ${hostFault.action})`,
      WATCH_EVERY_MS,
    );
  }
  if (toRecover === 0)
    return inState(input, 'Dead', 'NothingToRecover', `${silence}; no VM waits to run elsewhere`, WATCH_EVERY_MS);
  const most = Math.max(1, Math.floor((cluster.hosts * how.maxSimultaneousPercent) / 100));
  if (cluster.silent > most) {
    const message = `${silence}, and ${cluster.silent} of ${cluster.hosts} hosts of the Cluster are silent; more than ${most} at once means the network and not the hosts, so that none is fenced (HAPolicy, fencing.maxSimultaneousPercent ${how.maxSimultaneousPercent}). ${byHand(input)}`;
    return inState(input, 'Dead', 'TooManySilent', message, WATCH_EVERY_MS);
  }
  const dueMs = endOfWait(detectedAtMs(input), hostFault.delaySeconds * 1000, nowMs);
  if (nowMs < dueMs) {
    const message = `${silence}; it may come back until ${iso(dueMs)} (HAPolicy, hostFault.delaySeconds ${hostFault.delaySeconds})`;
    return inState(input, 'Dead', 'Delayed', message, Math.min(WATCH_EVERY_MS, dueMs - nowMs));
  }
  if (!how.order.includes('BMC') && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (!how.order.includes('BMC')) {
    const message = `${silence}; the HAPolicy has no way to prove that it is off (fencing.order is empty). ${byHand(input)}`;
    return inState(input, 'Dead', 'NoFencingMethod', message, WATCH_EVERY_MS);
  }
  if (power.kind === 'None' && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (power.kind === 'None') {
    return inState(
      input,
      'Dead',
      'NoProof',
      `${silence}, and nothing proves that it is off: ${power.message}. ${byHand(input)}`,
      WATCH_EVERY_MS,
    );
  }
  return attempt(input, undefined);
}

/** Nothing can be done to it: it is waited for that nothing of it can run any more. */
function awaitLapse(input: HostInput, silence: string): HostStep {
  const { lease } = input;
  if (lease.kind === 'Silent') {
    const seconds = Math.ceil(lease.remainingMs / 1000);
    const message = `${silence}, and host ${lease.by} sees that its lease on storage is not renewed either: its VMs are surely over in ${seconds} s`;
    return inState(input, 'Dead', 'LeaseRunsOut', message, Math.max(1, Math.min(ASK_EVERY_MS, lease.remainingMs)));
  }
  const why = lease.kind === 'Unknown' ? lease.message : 'nobody was asked for its lease on storage';
  return inState(
    input,
    'Dead',
    'NoProof',
    `${silence}, and nothing proves that it is off: ${why}. ${byHand(input)}`,
    ASK_EVERY_MS,
  );
}

/** How an administrator helps where nothing else proves it. */
function byHand(input: HostInput): string {
  const { host, bootID } = input;
  const again = isRefusedOnce(input)
    ? `The confirmation that there is was made while the machine lived, and counts no more: take it away first (kubectl annotate host ${host} drover.dev/confirm-fenced-). `
    : '';
  return `${again}Make sure that the host is off, and confirm it: kubectl annotate host ${host} --overwrite drover.dev/confirm-fenced=${bootID}`;
}
