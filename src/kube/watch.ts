import { KubeError } from './error.ts';
import { errorOfStatus } from './error-response.ts';
import type { KubeObject } from './object.ts';

/** One event of a watch. */
export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Nothing up to this version concerns the watch: it may resume there. */
  | { type: 'BOOKMARK'; resourceVersion: string };

interface WireEvent<T> {
  type: string;
  object: T;
}

/** etcd refuses objects over 1.5 MiB; JSON and managedFields can make that a few times longer, not more. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Splits the body of a watch into its events, one JSON value per line.
 * @throws KubeError for an ERROR event (410 when the version is too old) and for a line that is none.
 */
export async function* readWatchEvents<T extends KubeObject>(
  what: string,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      const line = pending.length > 0 ? Buffer.concat([...pending, tail]) : tail;
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield toEvent<T>(what, line.toString('utf8'));
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > MAX_EVENT_BYTES) throw badEvent(what, `an event is longer than ${MAX_EVENT_BYTES} bytes`);
    }
  }
  // A line without end was cut off with the connection; the event comes again after the resume.
}

function toEvent<T extends KubeObject>(what: string, line: string): WatchEvent<T> {
  const { type, object } = parseLine<T>(what, line);
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, object };
    case 'BOOKMARK':
      return { type, resourceVersion: object.metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw errorOfStatus(what, object);
    default:
      throw badEvent(what, `an event has the unknown type "${type}"`);
  }
}

function parseLine<T>(what: string, line: string): WireEvent<T> {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw badEvent(what, `an event is no JSON: ${line.slice(0, 120)}`, error);
  }
}

function badEvent(what: string, why: string, cause?: unknown): KubeError {
  return new KubeError({ code: 0, reason: 'BadResponse', message: `${what}: ${why}`, cause });
}
