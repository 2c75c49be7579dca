import type { LeaseNotes } from './folder.ts';

/** Whether a guest may be started now. */
export type StartVerdict = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** What a start may take from here until the keeper can see it: libvirt makes a record, then QEMU. */
const LEFT_MS = 5_000;

const LAPSED: StartVerdict = {
  ok: false,
  message:
    'the host could not renew its lease on storage in time, or has given it up because it was isolated, so that its VMs were ended, and other hosts may run them by now. It starts VMs again once its shared datastores take its lease: look at them, and at its network',
};

/**
 * Whether the host's lease on storage lets a guest start. Asked right before libvirt is. A host that holds none with a watchdog in this
 * boot may: nobody draws conclusions from its silence.
 * @param nowMs by the host's clock since boot
 */
export function mayStart(
  folder: Pick<LeaseNotes, 'readState' | 'isYielded'>,
  bootID: string,
  nowMs: number,
): StartVerdict {
  const state = folder.readState(bootID);
  if (state !== undefined && state.bootID !== bootID) {
    const message = `the host serves under ${state.bootID} by now, and this agent has begun under ${bootID}: it starts anew, and with it the VM`;
    return { ok: false, message };
  }
  if (state === undefined || state.watchdogMs === 0) return { ok: true };
  // The keeper may not have noticed yet that it was given up.
  if (state.lapsed || folder.isYielded(bootID)) return LAPSED;
  const leftMs = state.heldUntilMs - nowMs;
  if (leftMs >= LEFT_MS) return { ok: true };
  const message = `the host's lease on storage ${leftMs > 0 ? `ends in ${leftMs} ms` : 'is not renewed'}: look at its shared datastores, and whether its lease keeper runs`;
  return { ok: false, message };
}
