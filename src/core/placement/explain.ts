import type { HostVerdict, Placement } from './place.ts';
import type { Scorer } from './scorer.ts';

/** Most lines of an explanation; a condition's message is read by people and kept in etcd. */
const MAX_LINES = 40;

/**
 * A placement in words, one line per host, the chosen one first: what the condition `Scheduled`, the event and `kubectl drover
 * explain` show. Where there are more hosts than lines, the rest is counted.
 */
export function explainPlacement(placement: Placement): string {
  const { scorers, verdicts } = placement;
  const chosen = placement.ok ? verdicts.filter(({ host }) => host === placement.host) : [];
  const others = placement.ok ? verdicts.filter(({ host }) => host !== placement.host) : verdicts;
  const lines = [
    ...chosen.map((verdict) => explainHost(verdict, scorers, 'chosen')),
    ...others.slice(0, MAX_LINES - chosen.length).map((verdict) => explainHost(verdict, scorers, 'fits')),
  ];
  const rest = verdicts.length - lines.length;
  return [...lines, ...(rest > 0 ? [`and ${rest} more hosts`] : [])].join('\n');
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

function explainHost(
  { host, obstacles, scores }: HostVerdict,
  scorers: readonly Scorer[],
  fits: 'chosen' | 'fits',
): string {
  if (obstacles.length > 0)
    return `${host}: ${obstacles.map(({ reason, message }) => `${reason}: ${message}`).join('; ')}`;
  const why = scorers.map((scorer, index) => scorer.say(scores[index] ?? 0));
  return [`${host}: ${fits}`, ...why].join('; ');
}

/** Bytes in MiB, for people. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
