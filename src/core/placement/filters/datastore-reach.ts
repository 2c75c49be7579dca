import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must see the datastore of every disk. */
export const datastoreReach: Filter = ({ datastores }) =>
  datastores.length === 0
    ? undefined
    : (host) => {
        if (datastores.every((name) => host.datastores.has(name))) return undefined;
        const missing = datastores.filter((name) => !host.datastores.has(name));
        return obstacle(
          'DatastoreNotVisible',
          { missing },
          () => `it does not see Datastore${missing.length === 1 ? '' : 's'} ${missing.join(', ')}`,
        );
      };
