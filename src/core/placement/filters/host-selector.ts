import { matchesSelector } from '../../../api/common/selector.ts';
import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/** `spec.hostSelector` of the VM. */
export const hostSelector: Filter = (request, host) =>
  matchesSelector(request.hostSelector, host.labels)
    ? YES
    : no('HostSelectorMismatch', 'its labels do not match spec.hostSelector');
