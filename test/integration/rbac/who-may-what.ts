import { beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../../src/kube/index.ts';
import { EVERYBODY, everyResource, lines, whatRbacAllows } from './every-call.ts';
import { AGENT, type InstalledCluster, OPERATOR } from './installed.ts';

const NAMESPACES = ['default', 'drover-system', 'kube-system'];
const CLUSTER = ['cluster'];
const READ = ['get', 'list', 'watch'] as const;

/** Everything that RBAC grants to agents; the admission policy narrows the writes further, see stolen-token.test.ts. */
const AGENT_MAY = [
  ...EVERYBODY,
  ...lines('drover.dev', ['datastores', 'hosts', 'virtualswitches'], READ, CLUSTER),
  ...lines('drover.dev', ['images', 'virtualmachineinstances', 'volumes'], READ, NAMESPACES),
  ...lines('drover.dev', ['hosts'], ['create'], CLUSTER),
  ...lines('drover.dev', ['hosts/status'], ['patch'], CLUSTER),
  ...lines('drover.dev', ['images/status', 'virtualmachineinstances/status', 'volumes/status'], ['patch'], NAMESPACES),
  ...lines('events.k8s.io', ['events'], ['create', 'patch'], NAMESPACES),
  ...lines('coordination.k8s.io', ['leases'], ['get', 'create', 'update', 'patch'], ['drover-system']),
].sort();

const OPERATOR_MAY = [
  ...EVERYBODY,
  ...lines('drover.dev', ['clusters', 'datastores', 'hapolicies', 'hosts', 'virtualswitches'], READ, CLUSTER),
  ...lines(
    'drover.dev',
    ['images', 'migrations', 'portgroups', 'rulegroups', 'virtualmachineinstances', 'virtualmachines', 'volumes'],
    READ,
    NAMESPACES,
  ),
  ...lines(
    'drover.dev',
    ['clusters/status', 'datastores/status', 'hapolicies/status', 'hosts/status', 'virtualswitches/status'],
    ['patch'],
    CLUSTER,
  ),
  ...lines(
    'drover.dev',
    [
      'images/status',
      'migrations/status',
      'portgroups/status',
      'rulegroups/status',
      'virtualmachines/status',
      'volumes/status',
    ],
    ['patch'],
    NAMESPACES,
  ),
  ...lines('drover.dev', ['virtualmachineinstances'], ['create', 'update', 'delete'], NAMESPACES),
  ...lines('drover.dev', ['migrations', 'volumes'], ['create', 'patch', 'delete'], NAMESPACES),
  ...lines('drover.dev', ['migrations/finalizers', 'virtualmachines/finalizers'], ['update'], NAMESPACES),
  ...lines('core', ['nodes'], READ, CLUSTER),
  ...lines('events.k8s.io', ['events'], ['create', 'patch'], NAMESPACES),
  ...lines('core', ['secrets'], ['get'], NAMESPACES),
  ...lines('core', ['configmaps', 'secrets'], ['create'], ['drover-system']),
  ...lines('coordination.k8s.io', ['leases'], [...READ, 'create'], ['drover-system']),
].sort();

/** A user of one namespace who has Kubernetes' role edit there, which the roles drover-view and drover-edit join. */
const TENANT_MAY = [
  ...lines(
    'drover.dev',
    ['images', 'migrations', 'portgroups', 'rulegroups', 'virtualmachineinstances', 'virtualmachines', 'volumes'],
    READ,
    ['default'],
  ),
  ...lines(
    'drover.dev',
    ['images', 'migrations', 'rulegroups', 'virtualmachines', 'volumes'],
    ['create', 'update', 'patch', 'delete', 'deletecollection'],
    ['default'],
  ),
].sort();

/** Rights that no call of the table above would show. */
const ESCALATIONS = [
  { verb: 'impersonate', resource: 'users' },
  { verb: 'impersonate', resource: 'groups' },
  { verb: 'impersonate', resource: 'serviceaccounts' },
  { verb: 'bind', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verb: 'escalate', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verb: 'approve', group: 'certificates.k8s.io', resource: 'signers' },
  { verb: 'sign', group: 'certificates.k8s.io', resource: 'signers' },
  { verb: '*', group: '*', resource: '*' },
];

async function may(client: KubeClient, attributes: object): Promise<unknown> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: attributes },
  };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const answer = await client.raw({ method: 'POST', path, body });
  return typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'status') : answer;
}

/** Runs first: it also tries to delete whole collections. */
export function whoMayWhat(installed: () => InstalledCluster): void {
  // Some 3000 calls each.
  describe('every verb on every resource of the API server', { timeout: 240_000 }, () => {
    let cluster: InstalledCluster;
    let agent: KubeClient;
    let operator: KubeClient;
    beforeAll(async () => {
      cluster = installed();
      await cluster.controlPlane.ensureNode('host-1');
      agent = await cluster.as({ ...AGENT, boundNode: 'host-1' });
      operator = await cluster.as(OPERATOR);
    });

    it('lets an agent do what its table says and nothing else', async () => {
      const resources = await everyResource(cluster.admin, NAMESPACES);
      expect(resources.length).toBeGreaterThan(200);
      expect(await whatRbacAllows(agent, resources)).toEqual(AGENT_MAY);
    });

    it('lets the operator do what its table says and nothing else', async () => {
      const resources = await everyResource(cluster.admin, NAMESPACES);
      expect(await whatRbacAllows(operator, resources)).toEqual(OPERATOR_MAY);
    });

    it("lets a namespace's users write VMs and their disks there, and neither networks, intents nor what is cluster-wide", async () => {
      const { admin, controlPlane } = cluster;
      await controlPlane.kubectl(['create', 'serviceaccount', 'tenant']);
      for (const role of ['drover-view', 'drover-edit']) {
        const binding = ['create', 'rolebinding', role, `--clusterrole=${role}`, '--serviceaccount=default:tenant'];
        await controlPlane.kubectl(binding);
      }
      const tenant = await cluster.as({ namespace: 'default', name: 'tenant' });
      const resources = (await everyResource(admin, NAMESPACES)).filter(({ group }) => group === 'drover.dev');
      await expect.poll(() => whatRbacAllows(tenant, resources), { timeout: 120_000 }).toEqual(TENANT_MAY);
    });

    it('lets the admin do everything, so that a refusal above is one of rights', async () => {
      const secrets = (await everyResource(cluster.admin, ['default'])).filter(({ name }) => name === 'secrets');
      expect(await whatRbacAllows(cluster.admin, secrets)).toHaveLength(8);
    });

    it.each(ESCALATIONS)('gives neither of them $verb on $resource', async (attributes) => {
      for (const client of [agent, operator]) expect(await may(client, attributes)).toMatchObject({ allowed: false });
    });

    it('lets agents read the ConfigMap with the certificate of the operator and the operator write it, and no other', async () => {
      const own = { namespace: 'drover-system', resource: 'configmaps', name: 'drover-operator-client' };
      for (const verb of ['get', 'list', 'watch']) {
        expect(await may(agent, { ...own, verb })).toMatchObject({ allowed: true });
        expect(await may(agent, { ...own, verb, name: 'other' })).toMatchObject({ allowed: false });
        expect(await may(agent, { ...own, verb, namespace: 'default' })).toMatchObject({ allowed: false });
      }
      for (const verb of ['get', 'update', 'patch']) {
        expect(await may(operator, { ...own, verb })).toMatchObject({ allowed: true });
        expect(await may(operator, { ...own, verb, name: 'other' })).toMatchObject({ allowed: false });
      }
      expect(await may(agent, { ...own, verb: 'update' })).toMatchObject({ allowed: false });
    });

    it("lets the operator renew its own Lease and no host's", async () => {
      const lease = { namespace: 'drover-system', group: 'coordination.k8s.io', resource: 'leases', verb: 'update' };
      expect(await may(operator, { ...lease, name: 'drover-operator' })).toMatchObject({ allowed: true });
      expect(await may(operator, { ...lease, name: 'host-host-1' })).toMatchObject({ allowed: false });
    });
  });
}
