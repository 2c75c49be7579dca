import { CPU_LEVELS, type CpuLevel } from '../../api/common/cpu-levels.ts';

/** @returns undefined for a CPU model that is no level. */
export function levelNamed(name: string): CpuLevel | undefined {
  return CPU_LEVELS.find((level) => level.name === name);
}

/** Whether a guest that runs with level `a` finds all of it in level `b`. */
export function isWithin(a: CpuLevel, b: CpuLevel): boolean {
  return a.vendor === b.vendor && a.generation <= b.generation && (b.mitigated || !a.mitigated);
}

/** Newer generations last; of one generation the one with mitigations. Vendors are not compared but by name. */
export function compareLevels(a: CpuLevel, b: CpuLevel): number {
  if (a.vendor !== b.vendor) return a.vendor < b.vendor ? -1 : 1;
  return a.generation - b.generation || Number(a.mitigated) - Number(b.mitigated);
}
