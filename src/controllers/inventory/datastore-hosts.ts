import { readiness, visibleDatastores } from '../../core/model/read-host.ts';
import type { Informers } from '../informers.ts';

/** Hosts that are ready and can use all of these datastores now, by name. */
export function readyHostsWith(names: readonly string[], informers: Pick<Informers, 'hosts' | 'datastores'>): string[] {
  const seesAll = (visible: readonly string[]) => names.every((name) => visible.includes(name));
  return informers.hosts
    .list()
    .filter((host) => readiness(host).ok && seesAll(visibleDatastores(host, (name) => informers.datastores.get(name))))
    .map(({ metadata }) => metadata.name);
}
