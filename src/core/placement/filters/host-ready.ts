import type { Filter } from '../filter.ts';
import { Obstacle } from '../obstacle.ts';

/** A host that cannot run VMs now is left out, for the reason that its conditions give. */
export const hostReady: Filter = () => (host) => {
  const { ready } = host;
  return ready.ok ? undefined : new Obstacle(ready.reason, {}, () => ready.message);
};
