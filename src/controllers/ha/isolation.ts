import { Host } from '../../api/host.ts';
import type { HostIsolation } from '../../api/host-isolation.ts';
import { peersOf } from '../../core/ha/isolation.ts';
import { policyOf } from '../../core/ha/policy.ts';
import type { ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';

/** Tells each host in time what it does when it is cut off from everybody, and whom it asks whether it is: it cannot be told then. */
export function isolationController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts } = deps.informers;
  return new Controller({
    name: 'isolation',
    sources: [
      // A host that comes, goes or gets another address is a peer of others.
      source(hosts, (change) => (isOtherPeer(change) ? hosts.keys() : [change.key])),
      source(clusters, () => hosts.keys()),
      source(haPolicies, () => hosts.keys()),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

function isOtherPeer(change: { readonly type: string; readonly object: Host; readonly previous?: Host }): boolean {
  if (change.previous === undefined) return true;
  const placeOf = ({ status, metadata }: Host) => JSON.stringify([status?.address, status?.usagePort, metadata.labels]);
  return placeOf(change.object) !== placeOf(change.previous);
}

async function reconcile(key: ObjectKey, { signal }: ReconcileContext, deps: ControllerDependencies): Promise<Result> {
  const host = deps.informers.hosts.get(key);
  if (host === undefined) return done;
  const isolation = ordersFor(key, deps);
  // Where there is no high availability there is nothing to be taken back either.
  if (isolation === undefined && host.status?.isolation === undefined) return done;
  const status = isolation === undefined ? {} : { isolation };
  await writeStatus(deps.client, Host, host, status, { fieldManager: FIELD_MANAGERS.isolation, signal });
  return done;
}

function ordersFor(key: ObjectKey, { informers, inventories }: ControllerDependencies): HostIsolation | undefined {
  const cluster = inventories.clusterOf(key);
  const choice = policyOf(cluster === undefined ? undefined : informers.clusters.get(cluster), (name) =>
    informers.haPolicies.get(name),
  );
  if (!choice.ok || !choice.enabled) return undefined;
  const { isolationResponse: response, fencing } = choice.policy;
  const known = informers.hosts.list().flatMap(({ metadata: { name }, status }) => {
    const { address, usagePort: port } = status ?? {};
    if (address === undefined || port === undefined || inventories.clusterOf(name) !== cluster) return [];
    return [{ name, address, port }];
  });
  return { response, yieldLease: fencing.order.includes('StorageLease'), peers: peersOf(key, known) };
}
