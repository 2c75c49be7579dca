import type { StructuralSchema } from '../../../src/codegen/structural-schema.ts';
import { KubeError, type KubeObject, type ManagedFieldsEntry } from '../../../src/kube/index.ts';
import {
  changedFields,
  commonPaths,
  type FieldSet,
  fieldsOf,
  isJson,
  isLeaf,
  merge,
  removeFields,
  setsExactly,
  without,
} from './field-set.ts';

export interface Applied {
  /** As the client sent it, without identity and preconditions. */
  readonly body: Record<string, unknown>;
  readonly fieldManager: string;
  readonly force: boolean;
  readonly subresource: 'status' | undefined;
}

/**
 * Server-side apply: the manager owns from now on exactly the fields that it names; what it owned before and nobody else
 * does, goes. Only applies own fields here: writes of other kinds take nothing from anybody.
 * @throws KubeError when another manager owns a field with another value and `force` is not set
 */
export function serverSideApply(
  live: KubeObject,
  { body, fieldManager, force, subresource }: Applied,
  schema: StructuralSchema | undefined,
): KubeObject {
  const entries = live.metadata.managedFields ?? [];
  const isMine = (entry: ManagedFieldsEntry) => entry.manager === fieldManager && entry.subresource === subresource;
  const others = entries.filter((entry) => !isMine(entry)).map((entry) => ({ entry, fields: setOf(entry) }));
  // Who is alone takes nothing from anybody.
  const changed = others.length === 0 ? {} : (changedFields(body, live, schema) ?? {});
  const conflicts = others.flatMap(({ entry, fields }) =>
    commonPaths(changed, fields).map((field) => ({ field, owner: entry.manager ?? '' })),
  );
  if (conflicts.length > 0 && !force) throw applyConflict(live, conflicts);
  const takes = conflicts.length > 0;
  const kept = others.map(({ entry, fields }) => ({ entry, fields: takes ? without(fields, [changed]) : fields }));
  const before = entries.find(isMine);
  const mineBefore = before === undefined ? {} : setOf(before);
  // Most applies name what they named the last time.
  const isAsBefore = before !== undefined && setsExactly(body, mineBefore, schema);
  const mine = isAsBefore ? mineBefore : fieldsOf(body, schema);
  const dropped = isAsBefore ? {} : without(mineBefore, [mine, ...kept.map(({ fields }) => fields)]);
  const remaining = isLeaf(dropped) ? live : removeFields(live, dropped, schema);
  const merged = merge(remaining, body, schema);
  const managedFields =
    isAsBefore && !takes
      ? entries
      : sorted([
          ...kept
            .filter(({ fields }) => Object.keys(fields).length > 0)
            .map(({ entry, fields }) => ({ ...entry, fieldsV1: fields })),
          {
            manager: fieldManager,
            operation: 'Apply',
            apiVersion: live.apiVersion,
            ...(subresource && { subresource }),
            fieldsType: 'FieldsV1',
            fieldsV1: mine,
          },
        ]);
  if (!isJson(merged) || !isJson(merged['metadata'])) throw new Error('an object stays one when it is applied to');
  const { metadata, ...rest } = merged;
  return {
    apiVersion: live.apiVersion,
    kind: live.kind,
    ...rest,
    metadata: { ...live.metadata, ...metadata, managedFields },
  };
}

function sorted(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  return entries.sort((a, b) => ((a.manager ?? '') < (b.manager ?? '') ? -1 : 1));
}

function setOf({ fieldsV1 }: ManagedFieldsEntry): FieldSet {
  // Written by this file alone.
  return (fieldsV1 ?? {}) as FieldSet;
}

function applyConflict(live: KubeObject, conflicts: readonly { field: string; owner: string }[]): KubeError {
  return new KubeError({
    code: 409,
    reason: 'Conflict',
    message: `Apply of ${live.kind} ${live.metadata.name} failed with ${conflicts.length} conflicts: ${conflicts.map(({ field, owner }) => `${field} of ${owner}`).join(', ')}`,
    causes: conflicts.map(({ field, owner }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${owner}"`,
      field,
    })),
  });
}
