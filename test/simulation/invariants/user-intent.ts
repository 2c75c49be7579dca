import { isDeepStrictEqual } from 'node:util';
import type { Invariant } from './invariant.ts';

const USERS_KINDS: readonly string[] = ['virtualmachines', 'clusters', 'rulegroups', 'hosts', 'volumes', 'datastores'];

/** Nobody but the user writes a spec that is the user's. */
export const userIntentUntouched: Invariant = {
  name: "user intent is the user's",
  onCommit: ({ kind, key, before, after }, { byUser }) => {
    if (byUser || before === undefined || after === undefined || !USERS_KINDS.includes(kind.plural)) return undefined;
    return isDeepStrictEqual(before.spec, after.spec) ? undefined : `somebody changed the spec of ${kind.kind} ${key}`;
  },
};
