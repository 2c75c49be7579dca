const GIB = 2 ** 30;
/** A small file system is shown in 64 steps, a large one in steps of 1 GiB. */
const STEPS_OF_A_SMALL_ONE = 64;

/**
 * Free space as it is reported: rounded down, and kept while the truth is less than two steps above it, so that a
 * datastore in use does not change its Host object at every look. Never more than there is.
 * @param reportedBytes what was reported before. Absent: nothing.
 */
export function steadyFreeBytes(reportedBytes: number | undefined, freeBytes: number, capacityBytes: number): number {
  const stepBytes = Math.max(1, Math.min(GIB, Math.floor(capacityBytes / STEPS_OF_A_SMALL_ONE)));
  if (reportedBytes !== undefined && freeBytes >= reportedBytes && freeBytes < reportedBytes + 2 * stepBytes) {
    return reportedBytes;
  }
  return Math.floor(freeBytes / stepBytes) * stepBytes;
}
