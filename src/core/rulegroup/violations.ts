import { nameOf } from '../model/names.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';

/** A VM that is where a rule does not want it. */
export interface Violation {
  /** `namespace/name`. */
  readonly virtualMachine: string;
  readonly host: string;
  readonly message: string;
}

/**
 * The VMs of a group that are where it does not want them, by name. A VM that is being moved is where it started.
 * @param hostsOf hosts where a VM is: none, one, or two while it is moved
 */
export function violationsOf(
  group: RuleGroupModel,
  hostsOf: (virtualMachine: string) => readonly string[],
): readonly Violation[] {
  const placed = [...group.members].toSorted().flatMap((virtualMachine) => {
    const [host] = hostsOf(virtualMachine);
    return host === undefined ? [] : [{ virtualMachine, host }];
  });
  switch (group.type) {
    case 'KeepTogether':
      return scattered(placed);
    case 'Separate':
      return crowded(placed);
    case 'VMsToHosts':
      return placed
        .filter(({ host }) => group.hosts.has(host) !== group.isOn)
        .map((each) => ({
          ...each,
          message: group.isOn ? 'is not on one of its hosts' : 'is on a host that it is to be kept off',
        }));
  }
}

interface Placed {
  readonly virtualMachine: string;
  readonly host: string;
}

/** The host that most of them are on, then the first by name, is where the others belong. */
function scattered(placed: readonly Placed[]): Violation[] {
  const byHost = [...Map.groupBy(placed, ({ host }) => host)].toSorted(
    ([a, onA], [b, onB]) => onB.length - onA.length || (a < b ? -1 : 1),
  );
  const [home] = byHost;
  if (home === undefined) return [];
  const [host, there] = home;
  return placed
    .filter((each) => each.host !== host)
    .map((each) => ({
      ...each,
      message: `is apart from the ${there.length} VM${there.length === 1 ? '' : 's'} on ${host}`,
    }));
}

/** Of several on one host the first by name is in its right. */
function crowded(placed: readonly Placed[]): Violation[] {
  const firstOn = new Map<string, string>();
  return placed.flatMap((each) => {
    const first = firstOn.get(each.host);
    if (first !== undefined) return [{ ...each, message: `is on the same host as ${nameOf(first)}` }];
    firstOn.set(each.host, each.virtualMachine);
    return [];
  });
}
