import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must have the switch of every NIC. */
export const switchReach: Filter = ({ switches }) =>
  switches.length === 0
    ? undefined
    : (host) => {
        if (switches.every((name) => host.switches.has(name))) return undefined;
        const missing = switches.filter((name) => !host.switches.has(name));
        return obstacle(
          'SwitchNotAvailable',
          { missing },
          () => `it does not have VirtualSwitch ${missing.join(', ')}`,
        );
      };
