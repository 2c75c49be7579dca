import * as z from 'zod';

/** By what a guest is known to have failed. */
export const GuestFaultReason = z.enum(['GuestPanicked', 'GuestWatchdogExpired', 'GuestHeartbeatLost']);
export type GuestFaultReason = z.output<typeof GuestFaultReason>;

/** Resets that are remembered: as many as a policy can allow. */
const ACTED_AT_MAX = 100;

/** When a VM was reset or restarted because of its guest. */
export const ActedAt = z.array(z.string().max(64)).max(ACTED_AT_MAX);

/** The last failure of a guest, with what was done about it: of an instance as of its VirtualMachine. */
export const guestFaultFields = {
  reason: GuestFaultReason.meta({
    description:
      'By what it is known. GuestPanicked: its kernel said so (pvpanic). GuestWatchdogExpired: it has not fed its watchdog. GuestHeartbeatLost: its tools fell silent, and it read, wrote and sent nothing.',
  }),
  at: z.string().max(64).meta({ description: 'When it was found (RFC 3339).' }),
  epoch: z.int().min(1).meta({ description: 'Epoch of the placement that it happened in.' }),
  action: z.enum(['None', 'Reboot', 'Restart']).meta({
    description:
      'What was done. Reboot: the guest was reset. Restart: the VM was ended, to be started on another host where one can take it. None: nothing, since it had been done too often, or the guest has come back by itself.',
  }),
  actedAt: ActedAt.meta({
    description:
      'When the VM was reset or restarted because of its guest (RFC 3339), within the window of its policy, oldest first.',
    'x-kubernetes-list-type': 'atomic',
  }),
};
