/** One event of a watch. A `BOOKMARK` carries only `metadata.resourceVersion`. */
export type WatchEvent<T> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  | { type: 'BOOKMARK'; resourceVersion: string };
