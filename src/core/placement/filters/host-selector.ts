import { matchesSelector } from '../../../api/common/selector.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** `spec.hostSelector` of the VM. */
export const hostSelector: Filter = ({ hostSelector: selector }) =>
  selector === undefined ? undefined : (host) => (matchesSelector(selector, host.labels) ? undefined : MISMATCH);

const MISMATCH = obstacle('HostSelectorMismatch', {}, () => 'its labels do not match spec.hostSelector');
