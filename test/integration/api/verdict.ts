import { KINDS } from '../../../src/api/kinds.ts';
import type { AnyKind } from '../../../src/codegen/any-kind.ts';
import { type KindRef, type KubeClient, KubeError, type KubeErrorCause } from '../../../src/kube/index.ts';

/** What the API server says to an object: the fields at fault with its words, or nothing. */
export type Verdict = readonly Pick<KubeErrorCause, 'field' | 'message'>[];

export const ALL_KINDS: readonly AnyKind[] = Object.values(KINDS);

export function kindNamed(name: string): KindRef {
  const kind = ALL_KINDS.find((candidate) => candidate.kind === name);
  if (kind === undefined) throw new Error(`There is no kind ${name}`);
  return { ...kind, namespaced: kind.scope === 'Namespaced' };
}

export type AnyObject = Record<string, unknown>;

/** Asks whether the object could be created as it is; stores nothing. */
export async function verdictOnCreate(client: KubeClient, object: AnyObject): Promise<Verdict> {
  const kind = kindNamed(String(object['kind']));
  return await verdictOf(client.raw({ method: 'POST', path: collection(kind), query: DRY_RUN, body: object }));
}

/** Asks whether the stored object of that name could become this one. */
export async function verdictOnReplace(client: KubeClient, object: AnyObject, name: string): Promise<Verdict> {
  return await replace(client, object, name, '');
}

export async function verdictOnStatus(client: KubeClient, object: AnyObject, name: string): Promise<Verdict> {
  return await replace(client, object, name, '/status');
}

async function replace(client: KubeClient, object: AnyObject, name: string, subresource: string): Promise<Verdict> {
  const kind = kindNamed(String(object['kind']));
  const { metadata } = await client.get(kind, { name, ...(kind.namespaced && { namespace: 'default' }) });
  const path = `${collection(kind)}/${name}${subresource}`;
  return await verdictOf(client.raw({ method: 'PUT', path, query: DRY_RUN, body: { ...object, metadata } }));
}

const DRY_RUN = { dryRun: 'All', fieldValidation: 'Strict' };

async function verdictOf(call: Promise<unknown>): Promise<Verdict> {
  try {
    await call;
    return [];
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.causes.length === 0) return [{ field: '', message: error.message }];
    return error.causes.map(({ field, message }) => ({
      field: field.replaceAll(/\[([^\]\d][^\]]*)\]/g, '.$1'),
      message,
    }));
  }
}

function collection(kind: KindRef): string {
  return `/apis/${kind.group}/${kind.version}/${kind.namespaced ? 'namespaces/default/' : ''}${kind.plural}`;
}
