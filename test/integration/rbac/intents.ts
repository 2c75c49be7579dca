import { beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../../src/api/cluster.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import {
  controllerReference,
  type KindRef,
  type KubeClient,
  type KubeObject,
  type Lease,
  leaseKind,
} from '../../../src/kube/index.ts';
import { COMPLETE_OBJECTS } from '../../builders/complete-objects.ts';
import { type Seen, waitFor } from '../../lab/wait.ts';
import { type InstalledCluster, OPERATOR } from './installed.ts';
import { type Verdict, verdictOf } from './verdict.ts';

const ALL_RIGHTS_IN_TENANT = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'all', namespace: 'tenant' },
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'all', namespace: 'tenant' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'all' },
      subjects: [{ kind: 'ServiceAccount', name: 'boss', namespace: 'tenant' }],
    },
  ],
};

const ALLOWED = { by: 'nobody', message: '' };

const POD: KindRef = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };

/** The API server takes up the policy and the lease some time after they were written. */
async function fenceWorks({
  operator,
  deposed,
  tenant,
}: Record<'operator' | 'deposed' | 'tenant', KubeClient>): Promise<void> {
  const creates = async (client: KubeClient, by: Verdict['by']): Promise<Seen<true>> => {
    const verdict = await verdictOf(client.create(VirtualMachineInstance, intent('probe'), { dryRun: true }));
    return verdict.by === by
      ? { ready: true, value: true }
      : { ready: false, because: `${verdict.by} ${verdict.message}` };
  };
  const options = { timeoutMs: 60_000 };
  await waitFor('the fence to stop the deposed operator', () => creates(deposed, 'admission'), options);
  await waitFor('the fence to let the leader pass', () => creates(operator, 'nobody'), options);
  await waitFor('the policy to stop the tenant', () => creates(tenant, 'admission'), options);
}

function inTenant(kind: KindRef, name: string): KubeObject {
  const [complete] = COMPLETE_OBJECTS[kind.kind] ?? [];
  const namespace = kind.namespaced ? { namespace: 'tenant' } : {};
  return { apiVersion: 'drover.dev/v1alpha1', kind: kind.kind, metadata: { name, ...namespace }, spec: complete?.spec };
}

function intent(name: string): KubeObject {
  return inTenant(VirtualMachineInstance, name);
}

/** Last: from here on an operator holds the lease, so that the fence stands. */
export function intents(installed: () => InstalledCluster): void {
  describe('who decides what runs', () => {
    let cluster: InstalledCluster;
    /** The operator whose pod holds the lease. */
    let operator: KubeClient;
    /** The same service account, from a pod that does not. */
    let deposed: KubeClient;
    /** Somebody with every right in the namespace `tenant`, on every kind. */
    let tenant: KubeClient;
    let vm: KubeObject;

    beforeAll(async () => {
      cluster = installed();
      const { admin, controlPlane } = cluster;
      const clients: KubeClient[] = [];
      for (const name of ['operator-a', 'operator-b']) {
        await controlPlane.ensurePod({ namespace: OPERATOR.namespace, name, serviceAccountName: OPERATOR.name });
        clients.push(await cluster.as({ ...OPERATOR, boundPod: name }));
      }
      [operator = admin, deposed = admin] = clients;
      const pod = await admin.get(POD, { namespace: OPERATOR.namespace, name: 'operator-a' });
      const lease: Lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'drover-operator', namespace: OPERATOR.namespace },
        spec: { holderIdentity: `operator-a_${pod.metadata.uid}` },
      };
      await admin.apply(leaseKind, lease, { fieldManager: 'test', force: true });
      await controlPlane.kubectl(['create', 'namespace', 'tenant']);
      await controlPlane.kubectl(['-n', 'tenant', 'create', 'serviceaccount', 'boss']);
      await controlPlane.kubectl(['apply', '-f', '-'], JSON.stringify(ALL_RIGHTS_IN_TENANT));
      tenant = await cluster.as({ namespace: 'tenant', name: 'boss' });
      vm = await admin.create(VirtualMachine, inTenant(VirtualMachine, 'web'));
      await fenceWorks({ operator, deposed, tenant });
    });

    const owned = (kind: KindRef, name: string): KubeObject => {
      const object = inTenant(kind, name);
      return { ...object, metadata: { ...object.metadata, ownerReferences: [controllerReference(vm)] } };
    };

    describe('an intent', () => {
      it('is written by the operator, as the property of its VM', async () => {
        expect(await verdictOf(operator.create(VirtualMachineInstance, owned(VirtualMachineInstance, 'web')))).toEqual(
          ALLOWED,
        );
        expect(await verdictOf(operator.create(Volume, owned(Volume, 'web-root')))).toEqual(ALLOWED);
      });

      it('is written by nobody who has only all rights in its namespace, since it names files of the host', async () => {
        const { by, message } = await verdictOf(tenant.create(VirtualMachineInstance, intent('mine')));
        expect(by).toBe('admission');
        expect(message).toContain(
          "only Drover's operator writes VirtualMachineInstances: create or change the VirtualMachine mine instead",
        );
        const web = await cluster.admin.get(VirtualMachineInstance, { name: 'web', namespace: 'tenant' });
        const disks = web.spec.disks.map((disk) => ({ ...disk, path: '/etc/shadow' }));
        const patch = tenant.patch(VirtualMachineInstance, web.metadata, { type: 'merge', body: { spec: { disks } } });
        expect(await verdictOf(patch)).toMatchObject({ by: 'admission' });
      });

      it('may be annotated by other hands, and lose what the garbage collector has put there', async () => {
        const ref = { name: 'web', namespace: 'tenant' };
        const body = { metadata: { annotations: { note: 'looked at' } } };
        expect(await verdictOf(tenant.patch(VirtualMachineInstance, ref, { type: 'merge', body }))).toEqual(ALLOWED);
      });

      it('is let go by the operator alone, since its VM may run as long as it is there', async () => {
        const held = owned(VirtualMachineInstance, 'held');
        const finalizers = ['drover.dev/cleanup', 'foregroundDeletion'];
        const ref = { name: 'held', namespace: 'tenant' };
        await operator.create(VirtualMachineInstance, { ...held, metadata: { ...held.metadata, finalizers } });
        const keep = (client: KubeClient, kept: readonly string[]) =>
          verdictOf(
            client.patch(VirtualMachineInstance, ref, { type: 'merge', body: { metadata: { finalizers: kept } } }),
          );
        for (const other of [tenant, cluster.admin]) {
          const { by, message } = await keep(other, []);
          expect(by).toBe('admission');
          expect(message).toContain('the operator lets it go when the host has confirmed that it is off');
        }
        expect(await keep(cluster.admin, ['drover.dev/cleanup'])).toEqual(ALLOWED);
        const { metadata, ...live } = await cluster.admin.get(VirtualMachineInstance, ref);
        const without = { ...live, metadata: { ...metadata, finalizers: [] } };
        expect(await verdictOf(operator.update(VirtualMachineInstance, without))).toEqual(ALLOWED);
      });

      it('can be mended by an administrator with all rights in the cluster', async () => {
        expect(await verdictOf(cluster.admin.create(VirtualMachineInstance, intent('mended')))).toEqual(ALLOWED);
      });
    });

    describe('the operator', () => {
      it('writes no spec of a user', async () => {
        const ref = { name: 'web', namespace: 'tenant' };
        const body = { spec: { runStrategy: 'Halted' } };
        expect(await verdictOf(operator.patch(VirtualMachine, ref, { type: 'merge', body }))).toMatchObject({
          by: 'rbac',
        });
        expect(await verdictOf(operator.delete(VirtualMachine, ref))).toMatchObject({ by: 'rbac' });
        expect(await verdictOf(operator.create(Cluster, inTenant(Cluster, 'own')))).toMatchObject({ by: 'rbac' });
        expect(await verdictOf(operator.delete(Host, { name: 'host-1' }))).toMatchObject({ by: 'rbac' });
      });

      it('writes nothing once another pod holds the lease', async () => {
        const verdict = await verdictOf(deposed.create(VirtualMachineInstance, intent('late')));
        expect(verdict).toMatchObject({
          by: 'admission',
          message: expect.stringContaining('only the leader may write'),
        });
        const status = { phase: 'Running' };
        const object = { ...inTenant(VirtualMachine, 'web'), spec: undefined, status };
        const late = deposed.applyStatus<KubeObject>(VirtualMachine, object, { fieldManager: 'drover-operator' });
        expect(await verdictOf(late)).toMatchObject({ by: 'admission' });
      });
    });
  });
}
