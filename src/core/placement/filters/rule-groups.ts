import type { Filter, HostCheck } from '../filter.ts';
import { ruleChecks } from '../rules.ts';

/**
 * No required rule group may be broken; each that would be is named. A VM that may run on a host already goes back to it
 * all the same, and is moved afterwards.
 */
export const ruleGroups: Filter = ({ virtualMachine, onlyHost }, inventory) =>
  ruleChecks(virtualMachine, inventory, (group) => group.isRequired).map(
    (check): HostCheck =>
      (host) =>
        host.name === onlyHost ? undefined : check(host.name),
  );
