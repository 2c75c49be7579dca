import type { Migration } from '../../api/migration.ts';

/** Whether a Migration has come to its end, one way or the other. */
export function isOver({ status }: Migration): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
