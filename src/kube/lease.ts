import type { KindRef, KubeObject } from './object.ts';

/** coordination.k8s.io/v1 Lease. Times are RFC 3339 with microseconds; they are for people, nothing here compares them. */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  /** Empty or absent: nobody holds it. */
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

export const leaseKind: KindRef<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

/** metav1.MicroTime of a point in time. */
export function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
