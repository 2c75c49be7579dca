import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { readConsoleCounters } from '../../lab/guest/console-counters.ts';
import { type OwnHosts, startOwnHosts } from './own-hosts.ts';
import { consoleOf, domainNames, startDomain, waitForCounter } from './test-domain.ts';

const DOMAIN_COUNT = 20;
/** Each boot costs about 5 s of one core without KVM, and two cores may have other suites to serve. */
const ALL_BOOTED_TIMEOUT_MS = 500_000;
let own: OwnHosts;
let image: string;

beforeAll(async () => {
  image = (await buildGuestImage()).disk;
  own = await startOwnHosts('many', 2);
}, 300_000);
afterAll(async () => own.remove());

it(`boots ${DOMAIN_COUNT} test guests at once on two hosts`, { timeout: 1.2 * ALL_BOOTED_TIMEOUT_MS }, async () => {
  const names = Array.from({ length: DOMAIN_COUNT }, (_, index) => `small-${index + 10}`);
  const hostOf = (name: string) => own.host(names.indexOf(name) < DOMAIN_COUNT / 2 ? 1 : 2);
  await Promise.all(names.map((name) => startDomain(hostOf(name), { name, image, memoryMib: 96 })));
  for (const host of own.hosts) {
    expect(await domainNames(host)).toEqual(names.filter((name) => hostOf(name).index === host.index));
  }
  await Promise.all(names.map((name) => waitForCounter(hostOf(name), name, 2, ALL_BOOTED_TIMEOUT_MS)));
  for (const name of names) expect(readConsoleCounters(consoleOf(hostOf(name), name)).verdict).toEqual({ ok: true });
});
