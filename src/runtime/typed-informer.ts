import type * as z from 'zod';
import {
  type InformerOptions,
  type KindRef,
  type KubeObject,
  keepManagedFieldsOf,
  SharedInformer,
} from '../kube/index.ts';

export interface TypedInformerOptions<T extends KubeObject> extends Omit<InformerOptions<T>, 'kind' | 'transform'> {
  /** Field managers whose managedFields stay in the cache, for `applyIfChanged`. */
  readonly fieldManagers: readonly string[];
}

/**
 * An informer of one of Drover's kinds whose objects carry the schema's defaults, also those that were stored before a
 * default was added. An object that does not fit the schema (written by another version) is cached as the API server
 * sent it: leaving it out would make it look deleted.
 */
export function typedInformer<T extends KubeObject>(
  kind: KindRef<T> & { readonly object: z.ZodType<T> },
  { fieldManagers, ...options }: TypedInformerOptions<T>,
): SharedInformer<T> {
  const shrink = keepManagedFieldsOf<T>(...fieldManagers);
  return new SharedInformer<T>({
    ...options,
    kind,
    transform: (object) => {
      const small = shrink(object);
      const parsed = kind.object.safeParse(small);
      return parsed.success ? parsed.data : small;
    },
  });
}
