import type { Filter } from '../filter.ts';
import { ruleChecks } from '../rules.ts';

/**
 * No required rule group may be broken; the first that would be is named. A VM that may run on a host already goes back to it
 * all the same, and is moved afterwards.
 */
export const ruleGroups: Filter = ({ virtualMachine, onlyHost }, inventory) => {
  const checks = ruleChecks(virtualMachine, inventory, (group) => group.isRequired);
  if (checks.length === 0) return undefined;
  return (host) => {
    if (host.name === onlyHost) return undefined;
    for (const check of checks) {
      const obstacle = check(host.name);
      if (obstacle !== undefined) return obstacle;
    }
    return undefined;
  };
};
