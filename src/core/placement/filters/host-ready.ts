import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A host that cannot run VMs now is left out, for the reason that its conditions give. */
export const hostReady: Filter =
  () =>
  ({ ready }) =>
    ready.ok ? undefined : obstacle(ready.reason, ready, say);

const say = ({ message }: { message: string }) => message;
