import type { MigrationProgress } from '../../api/virtual-machine-instance-migration.ts';

/** The figures of a job as libvirt names them (VIR_DOMAIN_JOB_*). */
export type JobParameters = Readonly<Record<string, unknown>>;

/** libvirt counts the pages that a guest writes, not bytes, and tells how long a page is from version 4.0 on. */
const PAGE_BYTES = 4096;

export function progressOf(
  params: JobParameters,
  now: Date,
  { downtimeMs, postCopy }: { readonly downtimeMs: number; readonly postCopy: boolean },
): MigrationProgress {
  const figure = (name: string) => Math.max(0, Math.round(Number(params[name] ?? 0)));
  return {
    at: now.toISOString(),
    totalBytes: figure('memory_total'),
    processedBytes: figure('memory_processed'),
    remainingBytes: figure('memory_remaining'),
    bytesPerSecond: figure('memory_bps'),
    dirtiedBytesPerSecond: figure('memory_dirty_rate') * (figure('memory_page_size') || PAGE_BYTES),
    iteration: figure('memory_iteration'),
    maxDowntimeMilliseconds: downtimeMs,
    throttlePercent: Math.min(100, figure('auto_converge_throttle')),
    postCopy,
  };
}
