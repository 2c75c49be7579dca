import type { KubeClient } from './client.ts';
import type { Leadership } from './leader-election.ts';
import type { KubeObject } from './object.ts';

/**
 * The same client, whose writes leave only during this term: refused with `LeadershipLost` once it ended, aborted when
 * it ends while they are under way. Reads are not touched.
 */
export declare function fencedBy(client: KubeClient, leadership: Leadership): KubeClient;

export interface LeaderFenceOptions {
  /** Name of the policy and its binding. */
  name: string;
  lease: { namespace: string; name: string };
  /** The operator's user, e.g. `system:serviceaccount:drover-system:drover-operator`. */
  username: string;
  /** API groups whose writes need leadership, e.g. `['drover.dev']`. */
  apiGroups: readonly string[];
}

/**
 * The server's half of the fence: a ValidatingAdmissionPolicy (and its binding) that refuses every write of the operator's user
 * unless the pod in its token is the lease's holder.
 */
export declare function leaderFencePolicy(options: LeaderFenceOptions): [policy: KubeObject, binding: KubeObject];
