import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A host that has just failed to start the VM is not asked again for a while. */
export const failedStart: Filter = ({ failedHosts }) => {
  if (failedHosts.size === 0) return undefined;
  return ({ name }) => {
    const failure = failedHosts.get(name);
    return failure && obstacle('StartFailed', failure, say);
  };
};

const say = ({ reason, untilMs }: { reason: string; untilMs: number }) =>
  `it has failed to start the VM (${reason}), and is not asked again before ${new Date(untilMs).toISOString()}`;
