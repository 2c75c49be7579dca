import { addResources, type HostModel, type Resources, subtractResources } from './host.ts';
import type { Inventory } from './inventory.ts';
import type { RuleGroupModel } from './rule-group.ts';

/**
 * A copy of an inventory in which a plan tries out its steps one after the other. The original does not change: what it
 * holds is copied when a step needs it otherwise.
 */
export class WorkingInventory implements Inventory {
  readonly hosts: HostModel[];
  readonly #base: Inventory;
  readonly #indexOf: ReadonlyMap<string, number>;
  /** VMs that a step has moved. */
  readonly #hostsOf = new Map<string, readonly string[]>();

  constructor(base: Inventory) {
    this.#base = base;
    this.hosts = [...base.hosts];
    this.#indexOf = new Map(base.hosts.map(({ name }, index) => [name, index]));
  }

  hostsOf(virtualMachine: string): readonly string[] {
    return this.#hostsOf.get(virtualMachine) ?? this.#base.hostsOf(virtualMachine);
  }

  groupsOf(virtualMachine: string): readonly RuleGroupModel[] {
    return this.#base.groupsOf(virtualMachine);
  }

  /** The host of that name, as the steps so far have left it. Undefined: the inventory does not hold it. */
  host(name: string): HostModel | undefined {
    const index = this.#indexOf.get(name);
    return index === undefined ? undefined : this.hosts[index];
  }

  /** Puts a VM on a host, besides the hosts where it is. A host that the inventory does not hold is counted for rules alone. */
  add(virtualMachine: string, host: string, reserved: Resources): void {
    this.#hostsOf.set(virtualMachine, [...this.hostsOf(virtualMachine), host]);
    this.#change(host, (sum) => addResources(sum, reserved));
  }

  /** Takes a VM off one of its hosts. */
  remove(virtualMachine: string, host: string, reserved: Resources): void {
    this.#hostsOf.set(
      virtualMachine,
      this.hostsOf(virtualMachine).filter((other) => other !== host),
    );
    this.#change(host, (sum) => subtractResources(sum, reserved));
  }

  #change(name: string, change: (reserved: Resources) => Resources): void {
    const index = this.#indexOf.get(name);
    const host = index === undefined ? undefined : this.hosts[index];
    if (index === undefined || host === undefined) return;
    this.hosts[index] = { ...host, reserved: change(host.reserved) };
  }
}
