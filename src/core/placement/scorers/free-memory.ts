import type { Scorer } from '../scorer.ts';

/** Part of the host's memory that stays free with the VM on it. */
export const freeMemory: Scorer = {
  name: 'freeMemory',
  weight: 1,
  prepare:
    ({ reserved: { memoryBytes: wanted } }) =>
    ({ allocatable: { memoryBytes }, reserved }) =>
      memoryBytes === 0 ? 0 : Math.max(0, (memoryBytes - reserved.memoryBytes - wanted) / memoryBytes),
  say: (score) => `${(score * 100).toFixed(1)}% of its memory stays free`,
};
