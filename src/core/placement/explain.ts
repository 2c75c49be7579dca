import type { HostVerdict, Placement } from './place.ts';
import type { Scorer } from './scorer.ts';

/** Most lines of an explanation; a condition's message is read by people and kept in etcd. */
const MAX_LINES = 40;

/**
 * A placement in words, one line per host: what the condition `Scheduled`, the event and `kubectl drover explain` show.
 * Where there are more hosts than lines, the rest is counted.
 */
export function explainPlacement(placement: Placement): string {
  const lines = placement.verdicts.map((verdict) =>
    explainHost(verdict, placement.scorers, placement.ok && placement.host === verdict.host),
  );
  const rest = lines.length - MAX_LINES;
  return rest <= 0 ? lines.join('\n') : [...lines.slice(0, MAX_LINES), `and ${rest} more hosts`].join('\n');
}

/**
 * Why no host can take the VM, as counts: `0/3 hosts fit: 2 InsufficientMemory, 1 HostNotReady`. A host counts under its
 * first obstacle.
 */
export function summarizeRefusal(placement: Placement): string {
  const total = placement.verdicts.length;
  if (total === 0) return 'the Cluster has no hosts';
  const counts = new Map<string, number>();
  for (const { obstacles } of placement.verdicts) {
    const reason = obstacles[0]?.reason;
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const parts = [...counts]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([reason, n]) => `${n} ${reason}`);
  return `0/${total} hosts fit: ${parts.join(', ')}`;
}

function explainHost({ host, obstacles, scores }: HostVerdict, scorers: readonly Scorer[], chosen: boolean): string {
  if (obstacles.length > 0)
    return `${host}: ${obstacles.map(({ reason, message }) => `${reason}: ${message}`).join('; ')}`;
  const why = scorers.map((scorer, index) => scorer.say(scores[index] ?? 0));
  return [`${host}: ${chosen ? 'chosen' : 'fits'}`, ...why].join('; ');
}

/** Bytes in MiB, for people. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
