import { epochsOnlyGrow } from './epochs-only-grow.ts';
import { foreignDomainsUntouched } from './foreign-domains.ts';
import { guestsKept } from './guests-kept.ts';
import type { Invariant } from './invariant.ts';
import { oneRunningCopy } from './one-running-copy.ts';
import { onlyTheDeadAreFenced } from './only-the-dead-are-fenced.ts';
import { onlyTheFailedAreReset } from './only-the-failed-are-reset.ts';
import { proofBeforeRestart } from './proof-before-restart.ts';
import { releasedWhenOff } from './released-when-off.ts';
import { reserveKept } from './reserve-kept.ts';
import { rulesKept } from './rules-kept.ts';
import { userIntentUntouched } from './user-intent.ts';
import { volumesInUseStay } from './volumes-in-use.ts';

/** Every promise that each run is held to; some remember what they have seen, so they are made for each run. */
export function allInvariants(): readonly Invariant[] {
  return [
    oneRunningCopy,
    epochsOnlyGrow(),
    foreignDomainsUntouched,
    userIntentUntouched,
    releasedWhenOff,
    guestsKept(),
    onlyTheFailedAreReset,
    volumesInUseStay,
    onlyTheDeadAreFenced(),
    proofBeforeRestart,
    rulesKept,
    reserveKept,
  ];
}
