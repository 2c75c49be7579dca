import { domainFacts } from '../../domain/index.ts';
import { type GuestProcess, guestProcesses, isThere, killGuest } from '../../host/index.ts';

/** Whose a guest is, by libvirt's record of it. `Unclear`: it has the form of a name of Drover's, and no record that could be read. */
type Owner = 'Drover' | 'Foreign' | 'Unclear';

/** What of Drover runs on this host, seen by the kernel alone, and its end. Guests of others are not counted and never touched. */
export class OwnGuests {
  readonly #runDirectory: string;
  readonly #killed: GuestProcess[] = [];
  #hasDirtyCache = false;

  /** @param runDirectory where libvirt's QEMU driver keeps its records */
  constructor(runDirectory: string) {
    this.#runDirectory = runDirectory;
  }

  /**
   * How many run, or may, or may yet write: a process that was killed counts until the kernel has let it go, since what it had begun
   * to write is only then done or given up. Where the host's page cache held a guest's writes, only a reset ends them.
   */
  left(): number {
    const alive = this.#own().filter(({ pid }) => !this.#killed.some((killed) => killed.pid === pid));
    return alive.length + this.#killed.filter(isThere).length + (this.#hasDirtyCache ? 1 : 0);
  }

  /** Kills those that are surely Drover's. @returns their domains, as names. */
  kill(): string[] {
    const sure = this.#own().filter((guest) => ownerOf(guest) === 'Drover');
    for (const guest of sure) {
      if (usesPageCache(guest)) this.#hasDirtyCache = true;
      this.#killed.push(guest);
      killGuest(guest);
    }
    return sure.map(({ name }) => name);
  }

  #own(): GuestProcess[] {
    return guestProcesses(this.#runDirectory).filter((guest) => ownerOf(guest) !== 'Foreign');
  }
}

function ownerOf({ name, uuid, record }: GuestProcess): Owner {
  const unclear: Owner = /^[^_]+_[^_]+$/.test(name) ? 'Unclear' : 'Foreign';
  const xml = record && domainIn(record);
  if (!xml) return unclear;
  try {
    const facts = domainFacts(xml);
    if (facts.uuid !== uuid) return unclear;
    return facts.identity === undefined ? 'Foreign' : 'Drover';
  } catch {
    // libvirt is writing it.
    return unclear;
  }
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
