import { z } from 'zod';
import type { KubeClient, RawRequest } from '../../../src/kube/index.ts';
import { verdictOf } from './verdict.ts';

/** One resource that the API server serves, in one place. */
interface Resource {
  readonly group: string;
  /** Plural with subresource: `virtualmachines/status`. */
  readonly name: string;
  /** Path up to the collection. */
  readonly collection: string;
  /** Where the objects live: a namespace, or `cluster`. */
  readonly where: string;
}

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
type CallVerb = (typeof VERBS)[number];

const groupList = z.object({
  groups: z.array(z.object({ name: z.string(), preferredVersion: z.object({ groupVersion: z.string() }) })),
});
const resourceList = z.object({ resources: z.array(z.object({ name: z.string(), namespaced: z.boolean() })) });

/** No such object exists, so that a call that is allowed changes nothing. */
const NO_SUCH_OBJECT = 'no-such-object';

/** Every resource of the API server, with `finalizers` beside each, in each of the namespaces. */
export async function everyResource(admin: KubeClient, namespaces: readonly string[]): Promise<Resource[]> {
  const groups = groupList.parse(await admin.raw({ method: 'GET', path: '/apis' })).groups;
  const roots = groups.map(({ name, preferredVersion }) => ({
    group: name,
    root: `/apis/${preferredVersion.groupVersion}`,
  }));
  const resources: Resource[] = [];
  for (const { group, root } of [{ group: '', root: '/api/v1' }, ...roots]) {
    const listed = resourceList.parse(await admin.raw({ method: 'GET', path: root })).resources;
    const finalizers = listed
      .filter(({ name }) => !name.includes('/'))
      .map((one) => ({ ...one, name: `${one.name}/finalizers` }));
    for (const { name, namespaced } of [...listed, ...finalizers]) {
      const places = namespaced
        ? namespaces.map((ns) => ({ where: ns, base: `${root}/namespaces/${ns}` }))
        : [{ where: 'cluster', base: root }];
      resources.push(
        ...places.map(({ where, base }) => ({ group, name, where, collection: `${base}/${name.split('/')[0]}` })),
      );
    }
  }
  return resources;
}

/** Tries every verb on every resource. @returns what RBAC let through, sorted: `drover.dev hosts/status patch (cluster)`. */
export async function whatRbacAllows(client: KubeClient, resources: readonly Resource[]): Promise<string[]> {
  const allowed: string[] = [];
  const calls = resources.flatMap((resource) => VERBS.map((verb) => ({ resource, verb })));
  const next = calls.values();
  // A few at a time: the server has a limit on calls in flight.
  const worker = async () => {
    for (const { resource, verb } of next) {
      const request = requestOf(resource, verb);
      if (request === undefined) continue;
      const { by } = await verdictOf(client.raw(request));
      if (by !== 'rbac') allowed.push(`${resource.group || 'core'} ${resource.name} ${verb} (${resource.where})`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return allowed.sort();
}

/** The call itself; subresources have no collection. */
function requestOf({ name, collection }: Resource, verb: CallVerb): RawRequest | undefined {
  const [, subresource] = name.split('/');
  const object = `${collection}/${NO_SUCH_OBJECT}${subresource === undefined ? '' : `/${subresource}`}`;
  const body = {};
  switch (verb) {
    case 'get':
      return { method: 'GET', path: object };
    case 'update':
      return { method: 'PUT', path: object, body };
    case 'patch':
      return { method: 'PATCH', path: object, body, contentType: 'application/merge-patch+json' };
    case 'delete':
      return { method: 'DELETE', path: object };
    case 'create':
      return { method: 'POST', path: subresource === undefined ? collection : object, body };
    case 'list':
      return subresource === undefined ? { method: 'GET', path: collection } : undefined;
    case 'watch':
      return subresource === undefined
        ? { method: 'GET', path: collection, query: { watch: 'true', timeoutSeconds: '1' } }
        : undefined;
    case 'deletecollection':
      return subresource === undefined ? { method: 'DELETE', path: collection } : undefined;
  }
}

/** Expected lines for some resources: `lines('drover.dev', ['hosts'], ['get'], ['cluster'])`. */
export function lines(
  group: string,
  resources: readonly string[],
  verbs: readonly CallVerb[],
  places: readonly string[],
): string[] {
  return resources.flatMap((name) =>
    verbs.flatMap((verb) => places.map((where) => `${group} ${name} ${verb} (${where})`)),
  );
}

/**
 * What Kubernetes lets every service account do, by its roles system:basic-user and
 * system:cluster-trust-bundle-discovery.
 */
export const EVERYBODY = [
  ...lines('certificates.k8s.io', ['clustertrustbundles'], ['get', 'list', 'watch'], ['cluster']),
  ...lines('authentication.k8s.io', ['selfsubjectreviews'], ['create'], ['cluster']),
  ...lines('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create'], ['cluster']),
];
