import type { Scorer } from '../scorer.ts';

/** A host that the VM was moved away from a short while ago is taken back only when there is no other. */
export const recentHosts: Scorer = {
  name: 'recentHosts',
  // More than all that load can say together.
  weight: 10,
  prepare: ({ recentHosts: recent }) => (recent.size === 0 ? undefined : (host) => (recent.has(host.name) ? 0 : 1)),
  say: (score) => (score === 0 ? 'was left a short while ago' : 'was not left lately'),
};
