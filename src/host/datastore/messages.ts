import * as z from 'zod';

/** What the agent and the process that works on a datastore say to each other. */
export const Request = z.object({ id: z.int(), verb: z.string(), args: z.unknown().optional() });

const Failure = z.object({
  failure: z.enum(['Missing', 'WrongIdentity', 'NotReady', 'Hung', 'Refused', 'Failed']),
  message: z.string(),
  code: z.string().optional(),
});

/** An answer without a result is one of a verb that has none: JSON knows no undefined. */
export const Answer = z.union([
  z.object({ id: z.int(), error: Failure }),
  z.object({ id: z.int(), result: z.unknown().optional() }),
]);
export type Answer = z.output<typeof Answer>;

/** The answer that nobody asked for: the process takes requests now. */
export const READY_ID = 0;
