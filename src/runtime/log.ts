import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { redactFields, redactText } from './redact.ts';

export interface LogOptions {
  /** `operator`, `agent`, ... */
  name: string;
  /** Absent: $DROVER_LOG_LEVEL, else `info`. */
  level?: string;
  /** Absent: stdout. */
  destination?: DestinationStream;
}

/** JSON lines; tokens, keys, passwords and the data of Secrets never appear in them. */
export function createLogger({ name, level, destination }: LogOptions): Logger {
  const options = {
    name,
    level: level ?? process.env['DROVER_LOG_LEVEL'] ?? 'info',
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: stdSerializers.errWithCause },
    formatters: {
      level: (label: string) => ({ level: label }),
      log: redactFields,
    },
    hooks: { streamWrite: redactText },
  };
  return destination ? pino(options, destination) : pino(options);
}
