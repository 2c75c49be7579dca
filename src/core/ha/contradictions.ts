import type { Cluster } from '../../api/cluster.ts';
import type { HAPolicySpec } from '../../api/ha-policy.ts';
import { shortList } from '../model/short-list.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';

/** Hosts that a message names. */
const HOSTS_NAMED = 10;

/** What a Cluster is, as far as its policy may ask for something else. */
export interface ClusterFacts {
  readonly cluster: Pick<Cluster, 'spec'>;
  readonly policy: HAPolicySpec;
  /** Names of its hosts. */
  readonly hosts: readonly string[];
  /** Whether there is a Datastore that hosts share. */
  readonly hasSharedDatastore: boolean;
}

/** Whether a Cluster and its HAPolicy ask for things that do not go together: by the first rule that is broken. */
export function agreement(facts: ClusterFacts): Verdict {
  return (
    failoverHostsExist(facts) ?? failoverHostsAreUsed(facts) ?? hasElsewhere(facts) ?? leaseHasAPlace(facts) ?? YES
  );
}

function failoverHostsExist({ cluster, hosts }: ClusterFacts): Verdict | undefined {
  const unknown = (failoverHostsIn(cluster) ?? []).filter((host) => !hosts.includes(host));
  if (unknown.length === 0) return undefined;
  const message = `spec.ha.admissionControl.failoverHosts names hosts that are not in the Cluster: ${shortList(unknown.toSorted(), HOSTS_NAMED)}. Correct the names, or add the hosts`;
  return no('FailoverHostsUnknown', message);
}

function failoverHostsAreUsed({ cluster, policy }: ClusterFacts): Verdict | undefined {
  const { action } = policy.hostFault;
  if (failoverHostsIn(cluster) === undefined || action === 'Restart') return undefined;
  const message = `spec.ha.admissionControl wants hosts kept free for failovers, and the HAPolicy makes none (hostFault.action ${action}), so that none is kept free: write action Restart, or another type of admission control`;
  return no('FailoverHostsUnused', message);
}

function hasElsewhere({ policy, hosts }: ClusterFacts): Verdict | undefined {
  if (policy.hostFault.action !== 'Restart' || hosts.length !== 1) return undefined;
  const message = `the HAPolicy runs VMs of a dead host elsewhere, and ${hosts[0]} is the only host of the Cluster: add one, or write hostFault.action RestoreOnOriginalHost`;
  return no('OneHost', message);
}

/** Where there are BMCs, too, FencingReady of each host says what is missing there. */
function leaseHasAPlace({ policy, hasSharedDatastore }: ClusterFacts): Verdict | undefined {
  const { order } = policy.fencing;
  if (policy.hostFault.action !== 'Restart' || order.join() !== 'StorageLease' || hasSharedDatastore) return undefined;
  const message =
    'the HAPolicy proves hosts to be off by their leases on storage (fencing.order StorageLease), and there is no Datastore that hosts share (spec.shared): add one, or give the hosts BMCs and write order [BMC]';
  return no('NoSharedDatastore', message);
}

function failoverHostsIn({ spec }: Pick<Cluster, 'spec'>): readonly string[] | undefined {
  const { type, failoverHosts } = spec.ha.admissionControl;
  return type === 'FailoverHosts' ? (failoverHosts?.hosts ?? []) : undefined;
}
