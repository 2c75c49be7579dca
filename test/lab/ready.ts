import { isRunning, logTail, type ProcessRecord } from './processes.ts';
import { type Seen, type WaitOptions, waitFor } from './wait.ts';

/**
 * Waits until a process that was just started serves, and gives up at once when it has ended instead.
 * @throws with the end of the process's log, which usually says why.
 */
export async function waitUntilReady<T>(
  record: ProcessRecord,
  probe: () => Seen<T> | Promise<Seen<T>>,
  options: WaitOptions,
): Promise<T> {
  try {
    return await waitFor(
      `${record.name} to be ready`,
      async () => {
        if (!isRunning(record)) throw new Error(`${record.name} (${record.command}) ended right after its start.`);
        return await probe();
      },
      options,
    );
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}\nThe end of ${record.logFile}:\n${logTail(record)}`, { cause: error });
  }
}
