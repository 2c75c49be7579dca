import type { KubeObject } from '../../../src/kube/index.ts';
import { isJson } from '../api/field-set.ts';
import type { Commit } from '../api/server.ts';

/** What is worth a line about a change of an object, in the order of importance. */
export function factsOf({ kind, key, before, after }: Commit): string[] {
  const name = `${kind.kind} ${key}`;
  if (after === undefined) return [`${name} is gone`];
  if (kind.plural === 'events') return eventFacts(after);
  const fields = FIELDS[kind.plural];
  if (fields === undefined) return [];
  const changes = fields.flatMap(([label, read]) => {
    const [was, is] = [before && read(before), read(after)];
    return was === is || is === undefined ? [] : [`${label} ${is}`];
  });
  const isDeleted = before?.metadata.deletionTimestamp === undefined && after.metadata.deletionTimestamp !== undefined;
  const all = [...(before === undefined ? ['is made'] : []), ...(isDeleted ? ['is deleted'] : []), ...changes];
  return all.length === 0 ? [] : [`${name} ${all.join(', ')}`];
}

type Read = (object: KubeObject) => string | undefined;

const phase: readonly [string, Read] = ['phase', (object) => textAt(object, 'status', 'phase')];
const ready: readonly [string, Read] = ['Ready', (object) => conditionAt(object, 'Ready')];

const FIELDS: Readonly<Record<string, readonly (readonly [string, Read])[]>> = {
  virtualmachines: [phase, ready, ['StorageReachable', (object) => unmet(object, 'StorageReachable')]],
  virtualmachineinstances: [
    ['host', (object) => textAt(object, 'spec', 'host')],
    ['epoch', (object) => textAt(object, 'spec', 'epoch')],
    ['by proof', (object) => textAt(object, 'spec', 'failover', 'proof')],
    ['wanted', (object) => textAt(object, 'spec', 'powerState')],
    ['migration', (object) => textAt(object, 'spec', 'migration', 'order')],
    phase,
    ['reason', (object) => textAt(object, 'status', 'reason')],
    ['migration is', (object) => textAt(object, 'status', 'migration', 'phase')],
  ],
  hosts: [
    ready,
    ['availability', (object) => stateAt(object, 'status', 'availability')],
    ['FencingReady', (object) => conditionAt(object, 'FencingReady')],
    ['InMaintenance', (object) => conditionAt(object, 'InMaintenance')],
  ],
  migrations: [
    phase,
    ['to', (object) => textAt(object, 'status', 'targetHost')],
    ['because', (object) => textAt(object, 'status', 'failures', '0', 'reason')],
  ],
  volumes: [phase],
  rulegroups: [ready, ['Satisfied', (object) => conditionAt(object, 'Satisfied')]],
};

function eventFacts(event: KubeObject): string[] {
  if (textAt(event, 'type') !== 'Warning') return [];
  const regarding = ['kind', 'namespace', 'name'].flatMap((field) => textAt(event, 'regarding', field) ?? []);
  return [`warning ${textAt(event, 'reason')} about ${regarding.join(' ')}`];
}

function textAt(object: unknown, ...path: readonly string[]): string | undefined {
  const value = path.reduce<unknown>(
    (found, name) => (isJson(found) ? found[name] : Array.isArray(found) ? found[Number(name)] : undefined),
    object,
  );
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function stateAt(object: unknown, ...path: readonly string[]): string | undefined {
  const state = textAt(object, ...path, 'state');
  return state && `${state} (${textAt(object, ...path, 'reason')})`;
}

/** A condition that is worth a word only where it is not met. */
function unmet(object: KubeObject, type: string): string | undefined {
  const words = conditionAt(object, type);
  return words?.startsWith('False') ? words : undefined;
}

function conditionAt({ status }: KubeObject, type: string): string | undefined {
  const conditions = isJson(status) && Array.isArray(status['conditions']) ? status['conditions'] : [];
  const found: unknown = conditions.find((condition) => isJson(condition) && condition['type'] === type);
  return found === undefined ? undefined : `${textAt(found, 'status')} (${textAt(found, 'reason')})`;
}
