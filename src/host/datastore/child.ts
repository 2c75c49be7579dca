import { DatastoreError } from './error.ts';
import { type Answer, READY_ID, Request } from './messages.ts';
import { VERBS, type VerbName } from './verbs.ts';

/**
 * The process that works on one datastore's file system for the agent. It ends with the agent: when the channel
 * between them closes.
 */
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  const request = Request.parse(message);
  void answer(request).then(send);
});

send({ id: READY_ID });

/** An agent that cannot be told anything any more is gone. */
function send(answer: Answer): void {
  if (!process.connected) return;
  process.send?.(answer, (error: Error | null) => {
    if (error) process.exit(0);
  });
}

async function answer({ id, verb, args }: { id: number; verb: string; args?: unknown }): Promise<Answer> {
  try {
    if (!isVerb(verb)) throw new DatastoreError('Refused', `"${verb}" is nothing that can be done on a datastore`);
    return { id, result: await VERBS[verb].run(args) };
  } catch (error) {
    return { id, error: failureOf(error) };
  }
}

function isVerb(verb: string): verb is VerbName {
  return Object.hasOwn(VERBS, verb);
}

function failureOf(error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof DatastoreError) {
    return { failure: error.failure, message, ...(error.code !== undefined && { code: error.code }) };
  }
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { failure: 'Failed' as const, message, ...(code !== undefined && { code }) };
}
