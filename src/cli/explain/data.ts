import type { VirtualMachineExplanation } from '../../core/virtual-machine/explain.ts';

/** An explanation for programs: JSON with every figure that decided. */
export function explanationData({ vm, placed, missing, now, rules, hidden }: VirtualMachineExplanation): object {
  return {
    virtualMachine: `${vm.metadata.namespace}/${vm.metadata.name}`,
    phase: vm.status?.phase ?? 'Pending',
    ...(vm.status?.recovery && { recovery: vm.status.recovery }),
    ...(placed && { placed }),
    missing,
    ...(hidden !== undefined && { hidden }),
    ruleGroups: rules.map(({ name, type, isRequired }) => ({ name, type, isRequired })),
    hosts: (now?.verdicts ?? []).map(({ host, obstacles, scores, points }) => ({
      host,
      fits: obstacles.length === 0,
      ...(obstacles.length === 0 && {
        points,
        scores: Object.fromEntries(now?.scorers.map((scorer, index) => [scorer.name, scores[index]]) ?? []),
      }),
      obstacles: obstacles.map(({ reason, message, facts }) => ({ reason, message, facts })),
    })),
  };
}

/** Maps and sets among the facts become objects and lists. */
export function toJson(value: object): string {
  const plain = (_key: string, each: unknown) => {
    if (each instanceof Map) return Object.fromEntries(each);
    return each instanceof Set ? [...each] : each;
  };
  return JSON.stringify(value, plain, 2);
}
