import type { Host } from '../../api/host.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { shortList } from '../model/short-list.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';
import { lastingObstacles } from '../placement/place.ts';
import {
  type MigrationSituation,
  migrationRequest,
  otherVirtualization,
  sameVirtualization,
  withoutCertificate,
} from './preconditions.ts';

/** Hosts whose obstacles a message names. */
const HOSTS_NAMED = 5;

/**
 * Whether a running VM can be moved to some other host of its Cluster at all: what hosts are and have is asked, not how much
 * room they have now, which a Migration asks when its turn comes.
 */
export function migratable(
  { virtualMachine, cluster, findHost }: Pick<MigrationSituation, 'virtualMachine' | 'cluster' | 'findHost'>,
  instance: VirtualMachineInstance,
): Verdict {
  const source = findHost(instance.spec.host);
  const [own] = withoutCertificate({ cluster }, source);
  if (own !== undefined) return no(own.reason, own.message);
  const { inventory } = virtualMachine;
  const others = inventory.hosts.filter(({ name }) => name !== instance.spec.host);
  const lasting = lastingObstacles(migrationRequest(virtualMachine, instance), inventory);
  const refusals: HostRefusal[] = [];
  for (const host of others) {
    const target = findHost(host.name);
    const obstacles = target === undefined ? [] : [...lasting(host), ...betweenHosts(source, target, cluster)];
    if (obstacles.length === 0) return YES;
    refusals.push({ host: host.name, obstacles });
  }
  return noHostTakesIt(refusals);
}

/** A host, and all that keeps it from ever taking a VM. */
export interface HostRefusal {
  readonly host: string;
  readonly obstacles: readonly { readonly reason: string; readonly message: string }[];
}

/** That no other host of its Cluster can ever take a VM, with the reason of most of them. */
export function noHostTakesIt(refusals: readonly HostRefusal[]): Verdict {
  if (refusals.length === 0) return no('NoOtherHost', 'its Cluster has no other host');
  const why = refusals.map(({ host, obstacles }) => `${host} (${obstacles.map(({ message }) => message).join('; ')})`);
  const reasons = refusals.flatMap(({ obstacles: [first] }) => first ?? []);
  return no(mostFrequent(reasons), `no other host of its Cluster can take it: ${shortList(why, HOSTS_NAMED)}`);
}

function betweenHosts(source: Host | undefined, target: Host, cluster: MigrationSituation['cluster']) {
  return [
    ...(sameVirtualization(source, target) ? [] : [otherVirtualization(source, target)]),
    ...withoutCertificate({ cluster }, target),
  ];
}

/** Hosts that the VM itself does not want say least of what is in the way. */
function mostFrequent(all: readonly { readonly reason: string }[]): string {
  const wanted = all.filter(({ reason }) => reason !== 'HostSelectorMismatch');
  const refusals = wanted.length === 0 ? all : wanted;
  const counted = [...Map.groupBy(refusals, ({ reason }) => reason)].toSorted(
    ([a, m], [b, n]) => n.length - m.length || (a < b ? -1 : 1),
  );
  return counted[0]?.[0] ?? 'NoHostFits';
}
