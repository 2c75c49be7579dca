import { beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../../src/api/host.ts';
import { Image } from '../../../src/api/image.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import { type KindRef, type KubeClient, type KubeObject, leaseKind } from '../../../src/kube/index.ts';
import {
  AGENT_CALLS,
  applyStatus,
  bare,
  complete,
  EVENT,
  event,
  host,
  instance,
  lease,
  worked,
} from './agent-calls.ts';
import { AGENT, type InstalledCluster } from './installed.ts';
import { verdictOf } from './verdict.ts';

async function store(admin: KubeClient, kind: KindRef, object: KubeObject): Promise<void> {
  await admin.create(kind, { ...object, status: undefined });
  if (object.status !== undefined)
    await admin.applyStatus(kind, { ...object, spec: undefined }, { fieldManager: 'drover-operator' });
}

export function stolenToken(installed: () => InstalledCluster): void {
  describe('a token of the agents', () => {
    let cluster: InstalledCluster;
    /** The token that an intruder found on host-1. */
    let stolen: KubeClient;
    /** A token of the same service account that no Node stands behind. */
    let unbound: KubeClient;

    beforeAll(async () => {
      cluster = installed();
      for (const node of ['host-1', 'host-2']) await cluster.controlPlane.ensureNode(node);
      stolen = await cluster.as({ ...AGENT, boundNode: 'host-1' });
      unbound = await cluster.as(AGENT);
      await cluster.admin.create(Host, bare(Host, 'host-2'));
      for (const host of ['host-1', 'host-2']) {
        await store(cluster.admin, VirtualMachineInstance, instance(host));
        for (const kind of [Volume, Image]) await store(cluster.admin, kind, worked(kind, host));
      }
      for (const kind of [Volume, Image])
        await store(cluster.admin, kind, { ...bare(kind, 'unassigned'), spec: complete(kind).spec });
    });

    describe('the stolen token of the agent of host-1', () => {
      it.each(AGENT_CALLS)('$call', async ({ make, refused }) => {
        const verdict = await verdictOf(make(stolen));
        const wanted = refused ?? { by: 'nobody', words: '' };
        expect(verdict).toEqual({ by: wanted.by, message: refused ? expect.stringContaining(wanted.words) : '' });
      });

      it('writes nothing but the status by way of the status, whatever the patch holds', async () => {
        const ref = bare(VirtualMachineInstance, 'host-1').metadata;
        const before = await cluster.admin.get(VirtualMachineInstance, ref);
        const body = {
          metadata: { finalizers: [], ownerReferences: [], labels: { a: 'b' } },
          spec: { host: 'host-2', powerState: 'Off', epoch: 99 },
          status: { host: 'host-1', phase: 'Running' },
        };
        await stolen.patch(VirtualMachineInstance, ref, { type: 'merge', body }, { subresource: 'status' });
        const after = await cluster.admin.get(VirtualMachineInstance, ref);
        expect(after.status).toMatchObject({ phase: 'Running' });
        expect(after.spec).toEqual(before.spec);
        expect(after.metadata.finalizers).toEqual(['drover.dev/cleanup']);
        expect(after.metadata.labels).toBeUndefined();
      });

      it('renews its own heartbeat, and no other that exists', async () => {
        const own = await stolen.create<KubeObject>(leaseKind, lease('host-host-1'));
        expect(await verdictOf(stolen.update<KubeObject>(leaseKind, own))).toEqual({ by: 'nobody', message: '' });
        for (const name of ['host-host-2', 'drover-operator']) {
          // It may be there already, held by an operator.
          const there = { ...lease(name), spec: {} };
          const other = await cluster.admin.apply<KubeObject>(leaseKind, there, { fieldManager: 'test' });
          const body = { spec: { holderIdentity: 'me' } };
          expect(await verdictOf(stolen.update<KubeObject>(leaseKind, other))).toMatchObject({ by: 'admission' });
          const patch = stolen.patch(leaseKind, other.metadata, { type: 'merge', body });
          expect(await verdictOf(patch)).toMatchObject({ by: 'admission' });
          expect(await verdictOf(stolen.delete(leaseKind, other.metadata))).toMatchObject({ by: 'rbac' });
        }
      });

      it('goes on with its own series of events, and with no other', async () => {
        await stolen.create(EVENT, event('mine', 'host-1'));
        const theirs = await cluster.admin.create(EVENT, event('theirs', 'host-2'));
        const series = { series: { count: 2, lastObservedTime: '2026-01-02T03:05:05.000000Z' } };
        const goOn = (name: string, body: object) =>
          verdictOf(stolen.patch(EVENT, { name, namespace: 'default' }, { type: 'merge', body }));
        expect(await goOn('mine', series)).toEqual({ by: 'nobody', message: '' });
        expect(await goOn('theirs', series)).toMatchObject({ by: 'admission' });
        // Here the API server itself says no first: who reported an Event is fixed.
        expect(await goOn('theirs', { ...series, reportingInstance: 'host-1' })).not.toMatchObject({ message: '' });
        expect(await cluster.admin.get(EVENT, { name: 'theirs', namespace: 'default' })).toEqual(theirs);
      });

      it('registers its host once, and writes its status from then on', async () => {
        await stolen.create(Host, host('host-1', { metadata: { labels: { 'kubernetes.io/hostname': 'host-1' } } }));
        // Whether it is off, the operator says.
        const fenced = { state: 'Fenced', since: '', bootID: 'b00t', reason: 'PoweredOff', message: '' };
        for (const lie of [{ powerState: 'Off' }, { availability: fenced }]) {
          expect(await verdictOf(applyStatus(Host, 'host-1', lie)(stolen))).toMatchObject({
            by: 'admission',
            message: expect.stringContaining('leaves status.availability and status.powerState as they are'),
          });
        }
        expect(await verdictOf(applyStatus(Host, 'host-1', { address: '192.0.2.11' })(stolen))).toMatchObject({
          by: 'nobody',
        });
      });
    });

    describe('a token of the agents that is bound to no Node', () => {
      it.each(AGENT_CALLS.filter(({ refused }) => refused?.by !== 'rbac'))('is refused: $call', async ({ make }) => {
        const message = expect.stringContaining('an agent writes only with a token that is bound to its Node');
        expect(await verdictOf(make(unbound))).toEqual({ by: 'admission', message });
      });
    });

    describe('a token whose Node is gone', { timeout: 120_000 }, () => {
      it('is worth nothing', async () => {
        await cluster.controlPlane.ensureNode('host-9');
        const orphan = await cluster.as({ ...AGENT, boundNode: 'host-9' });
        expect(await verdictOf(orphan.list(Host))).toMatchObject({ by: 'nobody' });
        await cluster.controlPlane.kubectl(['delete', 'node', 'host-9']);
        // The API server remembers for some seconds that a token was good.
        await expect
          .poll(async () => (await verdictOf(orphan.list(Host))).by, { timeout: 100_000, interval: 250 })
          .toBe('authentication');
      });
    });
  });
}
