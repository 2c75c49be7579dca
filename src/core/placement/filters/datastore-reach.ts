import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/** The host must see the datastore of every disk. */
export const datastoreReach: Filter = (request, host) => {
  const missing = request.datastores.filter((name) => !host.datastores.has(name));
  return missing.length === 0 ? YES : no('DatastoreNotVisible', `it does not see ${plural('Datastore', missing)}`);
};

function plural(kind: string, names: readonly string[]): string {
  return `${kind}${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}
