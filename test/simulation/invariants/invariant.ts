import type { ApiServer, Commit } from '../api/server.ts';
import type { Domain } from '../hosts/domain.ts';
import type { SimulatedHost } from '../hosts/host.ts';

/** The world as invariants look at it. */
export interface Seen {
  readonly hosts: readonly SimulatedHost[];
  readonly server: ApiServer;
}

/** What happened on a host to a domain, in the words of the log. */
export interface DomainFact {
  readonly host: string;
  readonly domain: Domain;
  readonly what: string;
}

/** One promise that holds at every moment. A verdict is a sentence about how it was broken; undefined: it holds. */
export interface Invariant {
  readonly name: string;
  /** Asked after every step that has changed something. */
  readonly holds?: (seen: Seen) => string | undefined;
  /** Asked about every change of an object. */
  readonly onCommit?: (commit: Commit, seen: Seen & { readonly byUser: boolean }) => string | undefined;
  /** Asked about everything that happens to a domain. */
  readonly onDomain?: (fact: DomainFact, seen: Seen) => string | undefined;
}
