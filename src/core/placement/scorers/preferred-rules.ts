import { ruleChecks } from '../rules.ts';
import type { Scorer } from '../scorer.ts';

/** Part of the preferred rule groups of the VM that the host keeps. */
export const preferredRules: Scorer = {
  name: 'preferredRules',
  // A preferred rule gives way to what cannot be, never to a better balance.
  weight: 100,
  prepare: (request, inventory) => {
    const checks = ruleChecks(request.virtualMachine, inventory, (group) => !group.isRequired);
    if (checks.length === 0) return undefined;
    return (host) => checks.filter((check) => check(host.name) === undefined).length / checks.length;
  },
  say: (score) => `${(score * 100).toFixed(0)}% of its preferred rules are kept`,
};
