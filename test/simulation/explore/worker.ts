import { parentPort } from 'node:worker_threads';
import { runSeed } from './run-seed.ts';

/** What one worker tells of one run. */
export interface RunResult {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly failures: readonly string[];
}

/** Plays the seeds that it is sent, one after the other. */
const port = parentPort;
if (port === null) throw new Error('this is a worker of the explorer: start test/simulation/explore/main.ts');
// Nobody reads the stacks of the thousands of errors that are part of the game.
Error.stackTraceLimit = 0;
port.on('message', (seed: number) => {
  runSeed(seed).then(
    ({ failure, failures }) => port.postMessage({ seed, failure, failures } satisfies RunResult),
    (error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      port.postMessage({ seed, failure: 'the simulation itself failed', failures: [message] } satisfies RunResult);
    },
  );
});
