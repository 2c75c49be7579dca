import { once } from 'node:events';
import { closeSync, openSync, readFileSync, realpathSync, statSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';

/** What resets the host when it is not fed for as long as it says: from its opening on, also when this process dies. */
export interface Watchdog {
  readonly timeoutMs: number;
  /** @throws Error when it cannot be fed. */
  feed(): void;
  /** Stops it, where it lets itself be stopped: nothing needs it any more. */
  disarm(): void;
}

/** What a driver takes for "stop" when it is closed next (the kernel's watchdog-api.rst, "Magic Close feature"). */
const MAGIC_CLOSE = 'V';
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Opens a watchdog, which arms it: a device such as /dev/watchdog0, or a unix socket that plays one: whoever listens there writes
 * `timeout <ms>` and a newline, takes each byte for a feeding, and the byte V for "stop".
 *
 * The time of a device is what its driver has been set to: by its module's parameters, or wdctl(8).
 * @throws Error when there is none, somebody else has it, or it does not tell its time.
 */
export async function openWatchdog(path: string): Promise<Watchdog> {
  return statSync(path).isSocket() ? await openSocket(path) : openDevice(path);
}

function openDevice(path: string): Watchdog {
  const seconds = Number(readFileSync(`/sys/class/watchdog/${deviceName(path)}/timeout`, 'utf8'));
  if (!(seconds > 0)) throw new Error(`${path} does not tell its time`);
  const device = openSync(path, 'w');
  const feed = (): void => void writeSync(device, '\0');
  feed();
  return {
    timeoutMs: seconds * 1000,
    feed,
    disarm: () => {
      writeSync(device, MAGIC_CLOSE);
      closeSync(device);
    },
  };
}

/** /dev/watchdog is the first of them by an older name (watchdog-kernel-api.rst). */
function deviceName(path: string): string {
  const name = basename(realpathSync(path));
  return name === 'watchdog' ? 'watchdog0' : name;
}

async function openSocket(path: string): Promise<Watchdog> {
  const socket = connect(path);
  let broken: Error | undefined;
  socket.on('error', (error) => {
    broken = error;
  });
  socket.on('close', () => {
    broken ??= new Error(`${path} was closed by who plays the watchdog`);
  });
  const [greeting] = await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const timeoutMs = Number(/^timeout (\d+)\n/.exec(String(greeting))?.[1]);
  if (!(timeoutMs > 0)) throw new Error(`${path} does not tell its time`);
  return {
    timeoutMs,
    feed: () => {
      if (broken) throw broken;
      socket.write('\0');
    },
    disarm: () => void socket.end(MAGIC_CLOSE),
  };
}
