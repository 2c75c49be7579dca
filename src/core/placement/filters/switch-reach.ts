import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must have the switch of every NIC. */
export const switchReach: Filter = ({ switches }) =>
  switches.length === 0
    ? undefined
    : (host) => {
        if (switches.every((name) => host.switches.has(name))) return undefined;
        return obstacle('SwitchNotAvailable', { missing: switches.filter((name) => !host.switches.has(name)) }, say);
      };

const say = ({ missing }: { missing: readonly string[] }) => `it does not have VirtualSwitch ${missing.join(', ')}`;
