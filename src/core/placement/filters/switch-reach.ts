import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/** The host must have the switch of every NIC. */
export const switchReach: Filter = (request, host) => {
  const missing = request.switches.filter((name) => !host.switches.has(name));
  return missing.length === 0 ? YES : no('SwitchNotAvailable', `it does not have VirtualSwitch ${missing.join(', ')}`);
};
