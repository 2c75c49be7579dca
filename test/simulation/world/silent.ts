import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import type { Metrics } from '../../../src/runtime/index.ts';
import type { Process } from '../engine/process.ts';
import { clockTime } from './log.ts';

/** A log that nobody reads, and that costs nothing. */
const SILENT: Logger = pino({ level: 'silent' });
Object.assign(SILENT, { child: () => SILENT });

/** The log of a process: silent, but for what `DROVER_SIM_LOG` (a level of pino) asks for when a run is looked into. */
export function logOf(process: Process, nowMs: () => number): Logger {
  const level = globalThis.process.env['DROVER_SIM_LOG'];
  if (level === undefined) return SILENT;
  return pino(
    { level, timestamp: () => `,"at":"${clockTime(nowMs())}"`, base: { process: process.name } },
    { write: (line: string) => void globalThis.process.stderr.write(line) },
  );
}

/** Metrics that nobody scrapes. */
export function unseenMetrics(): Metrics {
  return {
    registry: new Registry(),
    onApiCall: () => undefined,
    onPass: () => undefined,
    observeQueue: () => undefined,
    setLeader: () => undefined,
  };
}
