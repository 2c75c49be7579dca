import type { Cluster } from '../../api/cluster.ts';

/** The CPU model that VMs of a Cluster are to see. Undefined: that of their host. */
export type CpuModelChoice =
  | { readonly ok: true; readonly model: string | undefined }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** With a baseline asked for, no VM starts before it is known: it would run with a CPU that it could not keep. */
export function cpuModelOf(cluster: Cluster | undefined): CpuModelChoice {
  if (cluster === undefined || cluster.spec.imc.mode === 'Disabled') return { ok: true, model: undefined };
  const { name } = cluster.metadata;
  const level = cluster.status?.baseline?.level;
  if (level !== undefined) return { ok: true, model: level };
  const why = cluster.status?.conditions.find(({ type }) => type === 'BaselineReady')?.message;
  return {
    ok: false,
    reason: 'BaselineNotReady',
    message: `Cluster "${name}" has no CPU baseline yet (spec.imc)${why === undefined ? '' : `: ${why}`}`,
  };
}
