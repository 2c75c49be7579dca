import type { Logger } from 'pino';
import type { GuestReport } from '../../core/instance/index.ts';
import { DomainGuestInfo, type Libvirt, type TypedParams } from '../../libvirt/index.ts';
import type { Clock, Timer } from '../../runtime/index.ts';
import type { DomainEntry } from './domain-table.ts';

/** The address often comes after the agent; later hardly anything changes. */
const FIRST_INTERVAL_MS = 2_000;
const LONGEST_INTERVAL_MS = 120_000;
const GUEST_TIMEOUT_MS = 20_000;
/**
 * How long libvirt waits for each answer of a guest. By itself it waits for ever, so that a guest that dies amid a question would take
 * with it all further ones, and a worker of the daemon.
 */
const RESPONSE_TIMEOUT_SECONDS = 5;

interface Watched {
  report?: GuestReport;
  timer?: Timer;
  intervalMs: number;
}

/** Asks the guest agents that are connected what only the guest knows. */
export class GuestTools {
  readonly #libvirt: Libvirt;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onReport: (uuid: string) => void;
  readonly #watched = new Map<string, Watched>();

  constructor(options: { libvirt: Libvirt; clock: Clock; log: Logger; onReport: (uuid: string) => void }) {
    this.#libvirt = options.libvirt;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onReport = options.onReport;
  }

  /** Undefined: not connected, or not answered yet. */
  report(uuid: string): GuestReport | undefined {
    return this.#watched.get(uuid)?.report;
  }

  /** Begins to ask a guest whose agent has connected, and stops asking one whose agent has gone. */
  follow(uuid: string, entry: DomainEntry | undefined): void {
    const wanted = entry?.identity !== undefined && entry.guestAgentConnected;
    const watched = this.#watched.get(uuid);
    if (wanted && watched === undefined) {
      void this.#begin(uuid, { intervalMs: FIRST_INTERVAL_MS });
    } else if (!wanted && watched !== undefined) {
      watched.timer?.cancel();
      this.#watched.delete(uuid);
    }
  }

  stop(): void {
    for (const { timer } of this.#watched.values()) timer?.cancel();
    this.#watched.clear();
  }

  async #begin(uuid: string, watched: Watched): Promise<void> {
    this.#watched.set(uuid, watched);
    const args = { dom: { uuid }, timeoutSeconds: RESPONSE_TIMEOUT_SECONDS };
    await this.#libvirt
      .call('domainAgentSetResponseTimeout', args)
      .catch((err: unknown) => this.#log.debug({ uuid, err }, 'cannot limit how long a guest is waited for'));
    // It may have gone, and come again, meanwhile.
    if (this.#watched.get(uuid) === watched) await this.#ask(uuid);
  }

  async #ask(uuid: string): Promise<void> {
    const watched = this.#watched.get(uuid);
    if (watched === undefined) return;
    const report = await this.#answer(uuid);
    // The guest may have gone, or come again, meanwhile.
    if (this.#watched.get(uuid) !== watched) return;
    if (report !== undefined && JSON.stringify(report) !== JSON.stringify(watched.report)) {
      watched.report = report;
      this.#onReport(uuid);
    }
    watched.timer = this.#clock.setTimeout(() => void this.#ask(uuid), watched.intervalMs);
    watched.intervalMs = Math.min(watched.intervalMs * 2, LONGEST_INTERVAL_MS);
  }

  async #answer(uuid: string): Promise<GuestReport | undefined> {
    const types = DomainGuestInfo.HOSTNAME | DomainGuestInfo.OS | DomainGuestInfo.INTERFACES;
    try {
      const { params } = await this.#libvirt.call(
        'domainGetGuestInfo',
        { dom: { uuid }, types },
        { timeoutMs: GUEST_TIMEOUT_MS },
      );
      return guestReportOf(params);
    } catch (err) {
      this.#log.debug({ uuid, err }, 'the guest agent does not answer');
      return undefined;
    }
  }
}

/** Names of the fields: libvirt, virDomainGetGuestInfo. What a guest says of itself is cut to what a status holds. */
function guestReportOf(params: TypedParams): GuestReport {
  const text = (name: string): string | undefined => {
    const value = params[name];
    return typeof value === 'string' && value !== '' ? value.slice(0, 253) : undefined;
  };
  const addresses = Object.keys(params)
    .filter((name) => /^if\.\d+\.addr\.\d+\.addr$/.test(name))
    .flatMap((name) => text(name) ?? [])
    .filter((address) => !isLocal(address))
    .sort();
  const hostname = text('hostname');
  const os = text('os.pretty-name');
  return {
    ...(hostname !== undefined && { hostname }),
    ...(os !== undefined && { os }),
    addresses: [...new Set(addresses)].slice(0, 64),
  };
}

/** Loopback and link-local addresses reach the guest from nowhere else. */
function isLocal(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || /^fe[89ab]/i.test(address) || address.length > 64;
}
