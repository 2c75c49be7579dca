import { describe, expect, it } from 'vitest';
import { Cluster } from '../../../../src/api/cluster.ts';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import { agreement } from '../../../../src/core/ha/contradictions.ts';

interface Given {
  readonly ha?: object;
  readonly policy?: object;
  readonly hosts?: readonly string[];
  readonly hasSharedDatastore?: boolean;
}

const judge = ({ ha = {}, policy = {}, hosts = ['h1', 'h2'], hasSharedDatastore = true }: Given) =>
  agreement({
    cluster: { spec: Cluster.spec.parse({ ha: { enabled: true, ...ha } }) },
    policy: HAPolicy.spec.parse(policy),
    hosts,
    hasSharedDatastore,
  });

const spare = (...hosts: string[]) => ({ admissionControl: { type: 'FailoverHosts', failoverHosts: { hosts } } });
const RESTORE = { hostFault: { action: 'RestoreOnOriginalHost' } };
const BY_LEASE = { fencing: { order: ['StorageLease'] } };

describe('a Cluster and its HAPolicy', () => {
  it.each<[string, Given]>([
    ['as they are by default', {}],
    ['with a failover host of the Cluster', { ha: spare('h2') }],
    ['that proves by storage leases, with a shared Datastore', { policy: BY_LEASE }],
    ['of one host whose VMs wait for it', { policy: RESTORE, hosts: ['h1'] }],
    ['without any host yet', { hosts: [] }],
    [
      'that has BMCs beside storage leases',
      { policy: { fencing: { order: ['BMC', 'StorageLease'] } }, hasSharedDatastore: false },
    ],
    ['whose hosts need no proof', { policy: { ...BY_LEASE, ...RESTORE }, hasSharedDatastore: false }],
  ])('agree %s', (_what, given) => {
    expect(judge(given)).toEqual({ ok: true });
  });

  it.each<[string, Given, string, string]>([
    ['a failover host that nobody knows', { ha: spare('h2', 'h9', 'h8') }, 'FailoverHostsUnknown', 'h8, h9'],
    [
      'failover hosts for VMs that wait for theirs',
      { ha: spare('h2'), policy: RESTORE },
      'FailoverHostsUnused',
      'RestoreOnOriginalHost',
    ],
    ['VMs that run elsewhere, of the only host', { hosts: ['h1'] }, 'OneHost', 'h1 is the only host'],
    [
      'leases on storage that hosts do not share',
      { policy: BY_LEASE, hasSharedDatastore: false },
      'NoSharedDatastore',
      'spec.shared',
    ],
  ])('do not agree about %s', (_what, given, reason, words) => {
    expect(judge(given)).toEqual({ ok: false, reason, message: expect.stringContaining(words) });
  });
});
