import { afterAll, beforeAll } from 'vitest';
import { type DomainRef, type EventName, type EventOf, type Libvirt, openLibvirt } from '../../../src/libvirt/index.ts';
import { type DomainInput, domainXml } from './builders.ts';
import { TestDaemon, waitFor } from './daemon.ts';

export interface Context {
  readonly daemon: TestDaemon;
  readonly libvirt: Libvirt;
}

/** A daemon and a client for the tests of one file. */
export function useLibvirt(): Context {
  const held: { daemon?: TestDaemon; libvirt?: Libvirt } = {};
  beforeAll(async () => {
    held.daemon = await TestDaemon.start();
    held.libvirt = await openLibvirt({
      socketPath: held.daemon.socketPath,
      reconnect: { firstDelayMs: 50, maxDelayMs: 200 },
    });
  });
  afterAll(async () => {
    await held.libvirt?.close();
    await held.daemon?.stop();
  });
  return {
    get daemon() {
      return given(held.daemon);
    },
    get libvirt() {
      return given(held.libvirt);
    },
  };
}

/** A running domain without anything to boot. */
export async function startDomain(libvirt: Libvirt, input: DomainInput): Promise<DomainRef> {
  const { dom } = await libvirt.call('domainCreateXml', { xmlDesc: domainXml(input) });
  return dom;
}

/** Events as they come, and a bounded wait for one of them. */
export async function collect<N extends EventName>(libvirt: Libvirt, name: N) {
  const events: EventOf<N>[] = [];
  const off = await libvirt.events.on(name, (event) => events.push(event));
  return {
    events,
    [Symbol.dispose]: off,
    async until(what: string, matches: (event: EventOf<N>) => boolean): Promise<EventOf<N>> {
      await waitFor(`${name} event: ${what}`, 20_000, async () => events.some(matches));
      return given(events.find(matches));
    },
  };
}

export function given<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('expected a value');
  return value;
}
