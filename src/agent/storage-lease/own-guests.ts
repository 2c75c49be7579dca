import { type DomainFacts, domainFacts } from '../../domain/index.ts';
import { type GuestProcess, guestProcesses, isThere, killGuest } from '../../host/index.ts';

/** Whose a guest is, by libvirt's record of it. `Unclear`: it has the form of a name of Drover's, and no record that could be read. */
type Owner =
  | { readonly kind: 'Drover'; readonly startedIn: string | undefined }
  | { readonly kind: 'Foreign' | 'Unclear' };

/** What is left of guests that were killed: it must outlive the process that has killed them. */
export interface Remains {
  /** Killed, and not known to be gone. */
  readonly killed: readonly Pick<GuestProcess, 'pid' | 'startTicks'>[];
  /** The host's page cache held a guest's writes: only a reset ends those. */
  readonly needsReset: boolean;
}

export const NO_REMAINS: Remains = { killed: [], needsReset: false };

/** What of Drover runs on this host, seen by the kernel alone, and its end. Guests of others are not counted and never touched. */
export class OwnGuests {
  readonly #runDirectory: string;
  #remains: Remains;
  /** Guests whose start was looked at, as pid and start: it does not change. */
  readonly #known = new Set<string>();

  /**
   * @param runDirectory where libvirt's QEMU driver keeps its records
   * @param remains what an earlier process has left
   */
  constructor(runDirectory: string, remains: Remains = NO_REMAINS) {
    this.#runDirectory = runDirectory;
    this.#remains = remains;
  }

  /**
   * How many run, or may, or may yet write: a process that was killed counts until the kernel has let it go, since what it had begun
   * to write is only then done or given up. Where the host's page cache held a guest's writes, only a reset ends them.
   */
  left(): number {
    const { killed, needsReset } = this.#remains;
    const alive = this.#own().filter(({ pid }) => !killed.some((each) => each.pid === pid));
    return alive.length + killed.filter(isThere).length + (needsReset ? 1 : 0);
  }

  /** Kills those that are surely Drover's. @param remember writes down what will be left, before anything is. @returns their domains. */
  kill(remember: (remains: Remains) => void): string[] {
    return this.#end(
      this.#own().filter((guest) => ownerOf(guest).kind === 'Drover'),
      remember,
    );
  }

  /**
   * Kills those that were started here for another term than this one: a start that was held up on its way must not
   * outlive the proof that nothing of that term runs. Those that came from other hosts have not been started here.
   */
  killOfOtherTerms(bootID: string, remember: (remains: Remains) => void): string[] {
    const guests = guestProcesses(this.#runDirectory);
    const nameOf = ({ pid, startTicks }: GuestProcess) => `${pid} ${startTicks}`;
    const there = new Set(guests.map(nameOf));
    for (const name of this.#known) if (!there.has(name)) this.#known.delete(name);
    const late = guests.filter((guest) => {
      if (guest.hasArrived || this.#known.has(nameOf(guest))) return false;
      const owner = ownerOf(guest);
      if (owner.kind !== 'Drover') return false;
      if (owner.startedIn === bootID) this.#known.add(nameOf(guest));
      return owner.startedIn !== bootID;
    });
    return this.#end(late, remember);
  }

  #end(guests: readonly GuestProcess[], remember: (remains: Remains) => void): string[] {
    const { killed, needsReset } = this.#remains;
    const fresh = guests.filter(({ pid, startTicks }) => {
      return !killed.some((each) => each.pid === pid && each.startTicks === startTicks);
    });
    if (fresh.length > 0) {
      const also = fresh.map(({ pid, startTicks }) => ({ pid, startTicks }));
      this.#remains = {
        killed: [...killed.filter(isThere), ...also],
        needsReset: needsReset || fresh.some(usesPageCache),
      };
      remember(this.#remains);
    }
    for (const guest of guests) killGuest(guest);
    return fresh.map(({ name }) => name);
  }

  #own(): GuestProcess[] {
    return guestProcesses(this.#runDirectory).filter((guest) => ownerOf(guest).kind !== 'Foreign');
  }
}

function ownerOf({ name, uuid, record }: GuestProcess): Owner {
  const unclear: Owner = { kind: /^[^_]+_[^_]+$/.test(name) ? 'Unclear' : 'Foreign' };
  const xml = record && domainIn(record);
  if (!xml) return unclear;
  let facts: DomainFacts;
  try {
    facts = domainFacts(xml);
  } catch {
    // libvirt is writing it.
    return unclear;
  }
  if (facts.uuid !== uuid) return unclear;
  return facts.identity === undefined ? { kind: 'Foreign' } : { kind: 'Drover', startedIn: facts.identity.bootID };
}

/** libvirt's record of a domain's state (`<domstatus>`) holds the XML of the domain itself. */
function domainIn(record: string): string | undefined {
  const [begin, end] = [record.search(/<domain[ >]/), record.lastIndexOf('</domain>')];
  return begin < 0 || end < begin ? undefined : record.slice(begin, end + '</domain>'.length);
}

/** All but these two modes leave writes with the host's kernel, which carries them out also after QEMU's end (qemu(1), cache=). */
function usesPageCache({ record = '' }: GuestProcess): boolean {
  return /<driver [^>]*\bcache=['"](?!none|directsync)/.test(record);
}
