import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import { type InformerOptions, type Lease, leaseKind, SharedInformer } from '../../kube/index.ts';

const PREFIX = 'host-';

/** The leases in the system's namespace, among them each host's heartbeat. */
export function leaseInformer(
  options: Pick<InformerOptions<Lease>, 'client' | 'clock' | 'onError'>,
): SharedInformer<Lease> {
  return new SharedInformer<Lease>({ ...options, kind: leaseKind, namespace: SYSTEM_NAMESPACE });
}

/** Key of the lease that the host's agent renews. */
export function leaseKeyOf(host: string): string {
  return `${SYSTEM_NAMESPACE}/${PREFIX}${host}`;
}

/** The host whose heartbeat a lease is; none for another lease. */
export function hostsOfLease({ metadata: { name } }: Pick<Lease, 'metadata'>): string[] {
  return name.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [];
}
