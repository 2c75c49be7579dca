import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A VM that is moved goes to another host than the one where it is. */
export const leaves: Filter = ({ leaves: source }) =>
  source === undefined ? undefined : (host) => (host.name === source ? IS_SOURCE : undefined);

const IS_SOURCE = obstacle('IsSource', {}, () => 'it is the host that the VM leaves');
