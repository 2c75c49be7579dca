import type { Scorer } from '../scorer.ts';

/** Part of the host's cores that stays unreserved with the VM on it; of interest only to a VM that reserves some. */
export const freeCPU: Scorer = {
  name: 'freeCPU',
  weight: 1,
  prepare: ({ reserved: { cpuCores: wanted } }) =>
    wanted === 0
      ? undefined
      : ({ allocatable: { cpuCores }, reserved }) =>
          cpuCores === 0 ? 0 : Math.max(0, (cpuCores - reserved.cpuCores - wanted) / cpuCores),
  say: (score) => `${(score * 100).toFixed(1)}% of its cores stay unreserved`,
};
