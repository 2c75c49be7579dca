import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The host must see the datastore of every disk. */
export const datastoreReach: Filter = ({ datastores }) =>
  datastores.length === 0
    ? undefined
    : (host) => {
        if (datastores.every((name) => host.datastores.has(name))) return undefined;
        return obstacle(
          'DatastoreNotVisible',
          { missing: datastores.filter((name) => !host.datastores.has(name)) },
          say,
        );
      };

const say = ({ missing }: { missing: readonly string[] }) =>
  `it does not see Datastore${missing.length === 1 ? '' : 's'} ${missing.join(', ')}`;
