import type { HostModel } from '../model/host.ts';
import type { Verdict } from '../model/verdict.ts';
import type { PlacementRequest } from './request.ts';

/** One rule that a host must meet, with the numbers in its message. Knows nothing of the other rules. */
export type Filter = (request: PlacementRequest, host: HostModel) => Verdict;
