import type { VirtualMachineInstanceSpec } from '../api/virtual-machine-instance.ts';
import { digest } from './digest.ts';

/** The fields of an instance's spec that a running domain cannot take over, sorted. */
const POWER_CYCLE_FIELDS = ['cloudInit', 'cpu', 'disks', 'machineType', 'memoryBytes', 'nics', 'watchdog'] as const;
export type PowerCycleField = (typeof POWER_CYCLE_FIELDS)[number];

/**
 * A digest of each such field, kept in the domain. No values: whoever may read a domain's XML need not know the
 * passwords in cloud-init data.
 */
export function powerCycleFields(spec: VirtualMachineInstanceSpec): Readonly<Record<PowerCycleField, string>> {
  const values = { ...spec, cloudInit: withoutBox(spec.cloudInit) };
  const entries = POWER_CYCLE_FIELDS.map((field) => [field, digest(canonical(values[field] ?? null))]);
  return Object.fromEntries(entries) as Record<PowerCycleField, string>;
}

/** Fields, sorted, in which the spec differs from what the running domain was made from. */
export function changedFields(
  spec: VirtualMachineInstanceSpec,
  running: Readonly<Record<string, string>>,
): PowerCycleField[] {
  const wanted = powerCycleFields(spec);
  // A field that the domain does not name is one that its agent did not know yet: nothing is known against it.
  return POWER_CYCLE_FIELDS.filter((field) => running[field] !== undefined && running[field] !== wanted[field]);
}

/** A sealed box differs each time it is sealed; what it was sealed from does not. */
function withoutBox(cloudInit: VirtualMachineInstanceSpec['cloudInit']): unknown {
  if (cloudInit === undefined) return undefined;
  const { sealedUserData, ...plain } = cloudInit;
  return { ...plain, sealedFrom: sealedUserData?.source };
}

/** JSON with sorted keys, so that the order in which the API server returns fields does not matter. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
