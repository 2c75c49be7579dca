import type { Cluster } from '../../api/cluster.ts';
import { HAPolicy, type HAPolicySpec } from '../../api/ha-policy.ts';

/** What high availability does in a Cluster. */
export type PolicyChoice =
  | { readonly ok: true; readonly enabled: false }
  | { readonly ok: true; readonly enabled: true; readonly policy: HAPolicySpec }
  /** It is wanted, and cannot be: nothing is done about faults until that is mended. */
  | { readonly ok: false; readonly reason: 'PolicyNotFound'; readonly message: string };

/** What a policy says of which nobody has said anything. */
export const DEFAULT_POLICY: HAPolicySpec = HAPolicy.spec.parse({});

/** @param cluster absent: the host, or the VM, belongs to none. */
export function policyOf(
  cluster: Pick<Cluster, 'metadata' | 'spec'> | undefined,
  findPolicy: (name: string) => HAPolicy | undefined,
): PolicyChoice {
  const { enabled, policyName } = cluster?.spec.ha ?? { enabled: false };
  if (cluster === undefined || !enabled) return { ok: true, enabled: false };
  if (policyName === undefined) return { ok: true, enabled: true, policy: DEFAULT_POLICY };
  const found = findPolicy(policyName);
  if (found !== undefined) return { ok: true, enabled: true, policy: found.spec };
  const message = `HAPolicy "${policyName}" (spec.ha.policyName of Cluster "${cluster.metadata.name}") does not exist: create it, or name another. Until then no host is fenced and no VM is restarted elsewhere`;
  return { ok: false, reason: 'PolicyNotFound', message };
}
