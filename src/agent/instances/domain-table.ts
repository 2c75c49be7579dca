import type { Logger } from 'pino';
import { type DomainFacts, type DomainIdentity, domainFacts } from '../../domain/index.ts';
import { DomainState, DomainStats, isLibvirtError, type Libvirt } from '../../libvirt/index.ts';

/** State and reason as libvirt numbers them (DomainState; the reason means something else in every state). */
export interface LibvirtState {
  readonly state: number;
  readonly reason: number;
}

/** A domain of this host, Drover's or not. */
export interface DomainEntry extends LibvirtState {
  readonly uuid: string;
  readonly name: string;
  /** Another number at each start; -1: only defined. */
  readonly id: number;
  /** Absent: not Drover's. */
  readonly identity?: DomainIdentity;
  readonly guestAgentConnected: boolean;
}

/** What happened to a domain: how it was known before, and how it is known now (absent: gone). */
export type DomainChange = { readonly before?: DomainEntry; readonly after?: DomainEntry };

const NOT_RUNNING = -1;

/**
 * All domains of the host as last seen, so that a pass over a VM need not ask libvirt. Kept by events and by our own
 * calls; a full listing after every reconnect, and now and then, catches what they miss.
 */
export class DomainTable {
  readonly #libvirt: Pick<Libvirt, 'call'>;
  readonly #log: Logger;
  readonly #onChange: (change: DomainChange) => void;
  readonly #byUuid = new Map<string, DomainEntry>();
  readonly #uuidByName = new Map<string, string>();
  /** Number of the last change of each domain that changed while a listing was under way: the listing may be older. */
  readonly #touched = new Map<string, number>();
  #changes = 0;
  #listing: Promise<void> | undefined;
  #isCurrent = false;
  #timesCurrent = 0;

  constructor(libvirt: Pick<Libvirt, 'call'>, log: Logger, onChange: (change: DomainChange) => void) {
    this.#libvirt = libvirt;
    this.#log = log;
    this.#onChange = onChange;
  }

  /** False until the first listing, and while the daemon is away: then the table proves nothing. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** How often it has become current; whoever waits for that may not be the one who asks for the listing. */
  get timesCurrent(): number {
    return this.#timesCurrent;
  }

  outdate(): void {
    this.#isCurrent = false;
  }

  byName(name: string): DomainEntry | undefined {
    return this.byUuid(this.#uuidByName.get(name) ?? '');
  }

  byUuid(uuid: string): DomainEntry | undefined {
    return this.#byUuid.get(uuid);
  }

  /** By name in ascending order. */
  list(): DomainEntry[] {
    return [...this.#byUuid.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  put(entry: DomainEntry): void {
    const before = this.#byUuid.get(entry.uuid);
    this.#touched.set(entry.uuid, ++this.#changes);
    if (before !== undefined) this.#uuidByName.delete(before.name);
    this.#byUuid.set(entry.uuid, entry);
    this.#uuidByName.set(entry.name, entry.uuid);
    if (before === undefined || !sameEntry(before, entry)) this.#onChange({ ...(before && { before }), after: entry });
  }

  remove(uuid: string): void {
    const before = this.#byUuid.get(uuid);
    this.#touched.set(uuid, ++this.#changes);
    if (before === undefined) return;
    this.#byUuid.delete(uuid);
    if (this.#uuidByName.get(before.name) === uuid) this.#uuidByName.delete(before.name);
    this.#onChange({ before });
  }

  /** Asks libvirt whether a domain is gone; of one that is not, the table shows the state from then on. */
  async isGone(uuid: string): Promise<boolean> {
    try {
      const now = await this.#libvirt.call('domainGetState', { dom: { uuid } });
      const known = this.#byUuid.get(uuid);
      const id = now.state === DomainState.SHUTOFF ? NOT_RUNNING : known?.id;
      if (known !== undefined && id !== undefined) this.put({ ...known, ...now, id });
      return false;
    } catch (error) {
      if (isLibvirtError(error, 'NO_DOMAIN')) return true;
      throw error;
    }
  }

  /** Lists all domains: two calls, and one more for each domain that was not known. One listing runs at a time. */
  async resync(): Promise<void> {
    if (this.#listing === undefined) {
      this.#listing = this.#list().finally(() => {
        this.#listing = undefined;
      });
    }
    await this.#listing;
  }

  async #list(): Promise<void> {
    this.#touched.clear();
    const [{ domains }, { retStats }] = await Promise.all([
      this.#libvirt.call('connectListAllDomains'),
      this.#libvirt.call('connectGetAllDomainStats', { doms: [], stats: DomainStats.STATE }),
    ]);
    const states = new Map(retStats.map(({ dom, params }) => [dom.uuid, stateOf(params)]));
    const listed = await Promise.all(
      domains.map((dom) => this.#read(dom, states.get(dom.uuid) ?? { state: DomainState.NOSTATE, reason: 0 })),
    );
    const found = new Map(listed.flatMap((entry) => (entry === undefined ? [] : [[entry.uuid, entry] as const])));
    for (const uuid of this.#byUuid.keys()) if (!found.has(uuid) && !this.#touched.has(uuid)) this.remove(uuid);
    for (const entry of found.values()) if (!this.#touched.has(entry.uuid)) this.put(entry);
    if (!this.#isCurrent) this.#timesCurrent++;
    this.#isCurrent = true;
    this.#log.debug({ domains: found.size }, 'listed all domains');
  }

  /** Undefined: gone since it was listed. */
  async #read(
    dom: { readonly uuid: string; readonly name: string; readonly id: number },
    state: LibvirtState,
  ): Promise<DomainEntry | undefined> {
    const known = this.#byUuid.get(dom.uuid);
    if (known !== undefined && known.id === dom.id) return { ...known, name: dom.name, ...state };
    // Only a running domain can be ours: Drover defines none.
    if (dom.id === NOT_RUNNING) return { ...dom, ...state, guestAgentConnected: false };
    try {
      const { xml } = await this.#libvirt.call('domainGetXmlDesc', { dom });
      return { ...dom, ...state, ...this.#facts(dom.name, xml) };
    } catch (error) {
      if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
      throw error;
    }
  }

  /** A domain whose XML cannot be read counts as foreign: it is left alone. */
  #facts(name: string, xml: string): Pick<DomainFacts, 'identity' | 'guestAgentConnected'> {
    try {
      const { identity, guestAgentConnected } = domainFacts(xml);
      return { guestAgentConnected, ...(identity && { identity }) };
    } catch (err) {
      this.#log.error({ domain: name, err }, 'cannot read the XML of a domain; it is taken for foreign');
      return { guestAgentConnected: false };
    }
  }
}

function stateOf(params: Readonly<Record<string, unknown>>): LibvirtState {
  return { state: Number(params['state.state'] ?? DomainState.NOSTATE), reason: Number(params['state.reason'] ?? 0) };
}

function sameEntry(a: DomainEntry, b: DomainEntry): boolean {
  return (
    a.id === b.id &&
    a.name === b.name &&
    a.state === b.state &&
    a.reason === b.reason &&
    a.guestAgentConnected === b.guestAgentConnected &&
    a.identity === b.identity
  );
}
