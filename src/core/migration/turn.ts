import type { LiveMigrationSpec } from '../../api/cluster.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';

/** A migration that has begun and has not left its source yet. */
export interface MigrationUnderWay {
  readonly source: string;
  readonly target: string;
  /** Its target makes ready, or waits for its turn to receive. Otherwise the memory is being copied. */
  readonly isPrepared: boolean;
}

/**
 * Whether the limits of the Cluster leave room for one more. As many again as are copied are made ready meanwhile, so that none of
 * the places stays empty while a target makes ready.
 * @param underWay those of the Cluster
 */
export function turnOf(
  { source, target }: Pick<MigrationUnderWay, 'source' | 'target'>,
  what: 'prepared' | 'copied',
  underWay: readonly MigrationUnderWay[],
  { maxPerCluster, maxPerHost }: Pick<LiveMigrationSpec, 'maxPerCluster' | 'maxPerHost'>,
): Verdict {
  const others = underWay.filter(({ isPrepared }) => isPrepared === (what === 'prepared'));
  if (others.length >= maxPerCluster) {
    const message = `${others.length} VMs of the Cluster are ${what}, no more are at once (spec.migration.maxPerCluster)`;
    return no('Queued', message);
  }
  for (const host of [source, target]) {
    const busy = others.filter((other) => other.source === host || other.target === host).length;
    if (busy >= maxPerHost) {
      const message = `host ${host} takes part in ${busy} migrations, no more are ${what} at once (spec.migration.maxPerHost)`;
      return no('Queued', message);
    }
  }
  return YES;
}
