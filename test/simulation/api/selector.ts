import type { KubeObject, Selectors } from '../../../src/kube/index.ts';
import { isJson } from './field-set.ts';

/** Whether an object is among those that a list or watch asks for. */
export type Selects = (object: KubeObject) => boolean;

/** @throws Error for a label selector: nobody uses one. */
export function selectorOf({ namespace, fieldSelector, labelSelector }: Selectors): Selects {
  if (labelSelector !== undefined) throw new Error('label selectors are not simulated');
  const wanted = (fieldSelector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .map((term) => {
      const [path = '', value = ''] = term.split('=');
      return { path: path.split('.'), value };
    });
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    wanted.every(({ path, value }) => String(valueAt(object, path) ?? '') === value);
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isJson(value) ? value[name] : undefined), object);
}
