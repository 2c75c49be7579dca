import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONFIRM_MS,
  CUT_OFF_AFTER_MS,
  type Isolation,
  type IsolationLook,
  LONGEST_SHUTDOWN_SECONDS,
  nextIsolation,
  othersReachApi,
  PEERS,
  peersOf,
  whileIsolated,
} from '../../../../src/core/ha/isolation.ts';
import { RENEW_EVERY_MS } from '../../../../src/core/ha/storage-lease.ts';
import { instance } from '../../../builders/objects.ts';

const NOW_MS = 1_000_000;
const CONNECTED: Isolation = { state: 'Connected' };
const connected = (): Isolation => CONNECTED;

/** Cut off from all, while others go on. */
function look(changes: Partial<IsolationLook> = {}): IsolationLook {
  return { apiSilentMs: CUT_OFF_AFTER_MS, peers: { known: 2, answering: 0 }, othersReachApi: true, ...changes };
}

const suspected: Isolation = { state: 'Suspected', sinceMs: NOW_MS - CONFIRM_MS };
const isolated: Isolation = { state: 'Isolated', sinceMs: NOW_MS - 60_000 };

describe('a host', () => {
  it.each<[string, Isolation, Partial<IsolationLook>, Isolation]>([
    ['that reaches the API server is connected', CONNECTED, { apiSilentMs: 0 }, CONNECTED],
    ['that has missed two renewals is, too', CONNECTED, { apiSilentMs: CUT_OFF_AFTER_MS - 1 }, CONNECTED],
    [
      'whose peer answers carries on, whether or not that one reaches the API server',
      CONNECTED,
      { peers: { known: 2, answering: 1 }, othersReachApi: false },
      { state: 'CutOff', because: 'PeersAnswer' },
    ],
    [
      'whose peer answers carries on although others reach the API server',
      CONNECTED,
      { peers: { known: 2, answering: 1 } },
      { state: 'CutOff', because: 'PeersAnswer' },
    ],
    [
      'that sees nothing of anybody carries on',
      CONNECTED,
      { othersReachApi: false },
      { state: 'CutOff', because: 'SeesNobody' },
    ],
    [
      'that knows no peer carries on',
      CONNECTED,
      { peers: { known: 0, answering: 0 } },
      { state: 'CutOff', because: 'NoPeers' },
    ],
    ['that alone is cut off is a suspect first', CONNECTED, {}, { state: 'Suspected', sinceMs: NOW_MS }],
    [
      'stays one for a while',
      { state: 'Suspected', sinceMs: NOW_MS - CONFIRM_MS + 1 },
      {},
      { state: 'Suspected', sinceMs: NOW_MS - CONFIRM_MS + 1 },
    ],
    ['is isolated then', suspected, {}, { state: 'Isolated', sinceMs: NOW_MS - CONFIRM_MS }],
    [
      'is none when a peer answers meanwhile',
      suspected,
      { peers: { known: 2, answering: 1 } },
      { state: 'CutOff', because: 'PeersAnswer' },
    ],
    [
      'is none when the others lose the API server, too',
      suspected,
      { othersReachApi: false },
      { state: 'CutOff', because: 'SeesNobody' },
    ],
    ['that is isolated stays so when a peer answers', isolated, { peers: { known: 2, answering: 2 } }, isolated],
    ['that is isolated stays so when it sees nobody any more', isolated, { othersReachApi: false }, isolated],
    ['that is isolated is connected when the API server answers', isolated, { apiSilentMs: 0 }, CONNECTED],
  ])('%s', (_rule, before, changes, after) => {
    expect(nextIsolation(before, look(changes), NOW_MS)).toEqual(after);
  });
});

describe('no host is isolated', () => {
  const anyLook = fc.record({
    apiSilentMs: fc.integer({ min: 0, max: 60_000 }),
    peers: fc.record({ known: fc.integer({ min: 0, max: 4 }), answering: fc.integer({ min: 0, max: 4 }) }),
    othersReachApi: fc.boolean(),
  });

  it('unless it looked so all the time for long enough', () => {
    fc.assert(
      fc.property(fc.array(anyLook, { minLength: 1, maxLength: 60 }), (looks) => {
        let state: Isolation = connected();
        let aloneSinceMs: number | undefined;
        for (const [index, each] of looks.entries()) {
          const nowMs = index * 1_000;
          const wasIsolated = state.state === 'Isolated';
          const { known, answering } = each.peers;
          const isAlone = each.apiSilentMs >= CUT_OFF_AFTER_MS && known > 0 && answering === 0 && each.othersReachApi;
          aloneSinceMs = isAlone ? (aloneSinceMs ?? nowMs) : undefined;
          state = nextIsolation(state, each, nowMs);
          if (state.state === 'Isolated' && !wasIsolated)
            expect(nowMs - (aloneSinceMs ?? nowMs)).toBeGreaterThanOrEqual(CONFIRM_MS);
        }
      }),
    );
  });

  it('when all lose the network at the same moment, whenever each of them has renewed last', () => {
    const renewal = 3_000;
    const phase = fc.integer({ min: 0, max: renewal });
    // Until it stands in the record: a renewal of the lease, and a look of the reader.
    const way = fc.integer({ min: 0, max: RENEW_EVERY_MS + RENEW_EVERY_MS / 2 });
    fc.assert(
      fc.property(phase, fc.array(fc.tuple(phase, way), { minLength: 1, maxLength: 5 }), (own, others) => {
        let state: Isolation = connected();
        for (let nowMs = 0; nowMs < 60_000; nowMs += 1_000) {
          // The network is lost at 3 s; each has renewed up to 3 s before.
          const seen = others.some(([last, delay]) => nowMs < last + CUT_OFF_AFTER_MS + delay);
          state = nextIsolation(state, look({ apiSilentMs: Math.max(0, nowMs - own), othersReachApi: seen }), nowMs);
          expect(state.state).not.toBe('Isolated');
        }
      }),
    );
  });
});

describe('what a host sees of others on storage', () => {
  const record = {
    host: 'h2',
    bootID: 'b',
    keeper: 'k',
    sequence: 1,
    selfFenceMs: 14_000,
    watchdogMs: 8_000,
    datastores: ['d'],
    reachesApi: true,
  };
  const answer = (host: string, sighting: object) => ({
    host: 'h1',
    leases: [{ host, sightings: [{ datastore: 'd', record, silentMs: 1_000, changed: true, ...sighting }] }],
  });

  it.each<[string, ReturnType<typeof answer>, boolean]>([
    ['one that renews and reaches the API server counts', answer('h2', {}), true],
    ['itself does not', answer('h1', {}), false],
    ['one that has stopped renewing does not', answer('h2', { silentMs: 8_000 }), false],
    ['one of which no renewal was seen does not', answer('h2', { changed: false }), false],
    [
      'one that has lost the API server does not',
      answer('h2', { record: { ...record, reachesApi: undefined } }),
      false,
    ],
  ])('%s', (_what, seen, counts) => {
    expect(othersReachApi(seen)).toBe(counts);
  });
});

describe('the intent of a VM on an isolated host', () => {
  it('is to be off at once, or with its grace within bounds', () => {
    const patient = instance({ spec: { gracePeriodSeconds: 3_600 } });
    expect(whileIsolated(patient, 'PowerOff').spec).toMatchObject({ powerState: 'Off', gracePeriodSeconds: 0 });
    expect(whileIsolated(patient, 'Shutdown').spec).toMatchObject({
      powerState: 'Off',
      gracePeriodSeconds: LONGEST_SHUTDOWN_SECONDS,
    });
    expect(whileIsolated(instance(), 'Shutdown').spec.gracePeriodSeconds).toBe(60);
  });

  it('stays as it is where it is to be off anyway', () => {
    const off = instance({ spec: { powerState: 'Off', gracePeriodSeconds: 20 } });
    expect(whileIsolated(off, 'PowerOff')).toBe(off);
  });
});

describe('the peers of a host', () => {
  const named = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `h${index}` }));

  it('are all others where there are few', () => {
    expect(peersOf('h1', named(4)).map(({ name }) => name)).toEqual(['h0', 'h2', 'h3']);
  });

  it('are as many as each can ask, never itself, and no host is asked by more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (count) => {
        const hosts = named(count);
        const asked = hosts.flatMap(({ name }) => {
          const peers = peersOf(name, hosts).map((peer) => peer.name);
          expect(peers).not.toContain(name);
          expect(new Set(peers).size).toBe(Math.min(PEERS, count - 1));
          return peers;
        });
        for (const { name } of hosts) expect(asked.filter((each) => each === name).length).toBeLessThanOrEqual(PEERS);
      }),
    );
  });
});
