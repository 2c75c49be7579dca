import {
  type KindRef,
  KubeError,
  type KubeObject,
  type Timer,
  type WatchEvent,
  type WatchOptions,
} from '../../../src/kube/index.ts';
import type { ClientOptions } from './client.ts';
import { RETRANSMIT_MS } from './link.ts';
import { selectorOf } from './selector.ts';
import type { Commit } from './server.ts';

/** The real client gives a watch up that sends nothing for so long; the server's bookmarks come every minute. */
const SILENCE_MS = 150_000;
/** How long the server keeps a watch open when it is not asked for anything else, in seconds. */
const OPEN_SECONDS = 300;

const NO_TIMER: Timer = { cancel: () => undefined };

type Message<T> = { readonly event: WatchEvent<T> } | { readonly end: KubeError | undefined };

/** Events of one kind, in order, as they reach one client. */
export async function* openWatch<T extends KubeObject>(
  { server, timeline, link, process }: ClientOptions,
  kind: KindRef<T>,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const what = `watch ${kind.plural}`;
  const selects = selectorOf(options);
  /** On their way: what is due is delivered in this order, whichever of the deliveries is due first. */
  const underWay: Message<T>[] = [];
  const arrived: Message<T>[] = [];
  let wake: (() => void) | undefined;
  let silence: Timer = NO_TIMER;
  const receive = (message: Message<T>) => {
    arrived.push(message);
    wake?.();
  };
  const deliver = () => {
    if (link.faults.state === 'Dropped') return;
    // Taken in the process itself: what waits for one that stands still comes in whatever order.
    process.deliver(() => {
      const message = underWay.shift();
      if (message !== undefined) receive(message);
    });
  };
  const send = (message: Message<T>) => {
    underWay.push(message);
    timeline.after(link.watchTripMs(kind.plural), deliver);
  };
  const onCommit = (commit: Commit) => {
    if (commit.kind.plural !== kind.plural) return;
    const event = eventOf<T>(commit, selects);
    if (event !== undefined) send({ event });
  };
  const onLink = () => {
    silence.cancel();
    silence = NO_TIMER;
    if (link.faults.state === 'Refused') receive({ end: broken(what, 'Unreachable') });
    // Bookmarks would come; where nothing comes through, the client notices after a while.
    if (link.faults.state === 'Dropped')
      silence = process.clock.setTimeout(() => receive({ end: broken(what, 'Silent') }), SILENCE_MS);
    // What was sent meanwhile comes late, as TCP repeats it.
    if (link.faults.state === 'Open')
      for (const _ of [...underWay]) timeline.after(link.watchTripMs(kind.plural), deliver);
  };
  const onAbort = () => receive({ end: broken(what, 'Aborted') });

  await process.spend(2 * link.halfTripMs());
  // What a link drops is sent again, each time after twice as long, until the client has waited for long enough.
  for (let [waitedMs, againMs] = [0, RETRANSMIT_MS]; link.faults.state === 'Dropped'; againMs *= 2) {
    if (waitedMs >= SILENCE_MS) throw broken(what, 'Silent');
    // It rejects only when the watch is given up, which is told below.
    await process.clock.sleep(againMs, options.signal).catch(() => undefined);
    if (options.signal?.aborted) break;
    waitedMs += againMs;
  }
  if (options.signal?.aborted) throw broken(what, 'Aborted');
  if (link.faults.state === 'Refused') throw broken(what, 'Unreachable');
  const missed = server.since(Number(options.resourceVersion));
  const onRestore = () => {
    underWay.length = 0;
    receive({ end: new KubeError({ code: 410, reason: 'Expired', message: `${what}: too old resource version` }) });
  };
  const ends = [server.onCommit(onCommit), server.onRestore(onRestore), link.onChange(onLink)];
  const stop = () => {
    for (const end of ends) end();
  };
  process.onKill(stop);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const closing = timeline.after((options.timeoutSeconds ?? OPEN_SECONDS) * 1000, () => send({ end: undefined }));
  for (const commit of missed) onCommit(commit);
  try {
    for (;;) {
      const message = arrived.shift();
      if (message === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
        wake = undefined;
      } else if ('event' in message) {
        yield message.event;
      } else if (message.end === undefined) {
        return;
      } else {
        throw message.end;
      }
    }
  } finally {
    stop();
    closing.cancel();
    silence.cancel();
    options.signal?.removeEventListener('abort', onAbort);
  }
}

/** An object that leaves what is selected is gone for the watch, and one that enters it is new. */
function eventOf<T extends KubeObject>(
  { before, after, object }: Commit,
  selects: (object: KubeObject) => boolean,
): WatchEvent<T> | undefined {
  const was = before !== undefined && selects(before);
  const is = after !== undefined && selects(after);
  if (!was && !is) return undefined;
  const type = !was ? 'ADDED' : is ? 'MODIFIED' : 'DELETED';
  return { type, object: object as T };
}

function broken(what: string, reason: string): KubeError {
  return new KubeError({ code: 0, reason, message: `${what}: ${reason}` });
}
