import type { Logger } from 'pino';

export interface LogOptions {
  /** `operator`, `agent`, ... */
  name: string;
  /** Absent: $DROVER_LOG_LEVEL, else `info`. */
  level?: string;
}

/** JSON lines on stdout; tokens, keys, passwords and Secret data are redacted. */
export declare function createLogger(options: LogOptions): Logger;
