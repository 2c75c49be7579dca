import { beforeEach, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { Host } from '../../../src/api/host.ts';
import { Heartbeats } from '../../../src/controllers/host/heartbeats.ts';
import type { Change, ChangeHandler, KubeObject, Lease } from '../../../src/kube/index.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

/** Hands on what a test says has changed. */
class Feed<T extends KubeObject> {
  readonly #handlers = new Set<ChangeHandler<T>>();

  onChange(handler: ChangeHandler<T>) {
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  tell(type: 'added' | 'deleted', object: T): void {
    const change: Change<T> = { type, key: object.metadata.name, object };
    for (const handler of this.#handlers) handler(change);
  }
}

const host = Host.object.parse({
  apiVersion: API_VERSION,
  kind: 'Host',
  metadata: { name: 'h1', uid: 'uid-of-h1', generation: 1 },
  spec: {},
});
const lease: Lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'host-h1', namespace: 'drover-system' },
  spec: { holderIdentity: 'h1', leaseDurationSeconds: 20, renewTime: '2030-01-01T00:00:00.000000Z' },
} as Lease;

let clock: VirtualClock;
let hosts: Feed<Host>;
let leases: Feed<Lease>;
let heartbeats: Heartbeats;

beforeEach(() => {
  clock = new VirtualClock();
  hosts = new Feed();
  leases = new Feed();
  heartbeats = new Heartbeats(leases, hosts, clock);
});

describe('a host of which no lease has been seen', () => {
  it('has as long as one lasts since this process began to watch', () => {
    hosts.tell('added', host);
    expect(heartbeats.leftMs('h1')).toBe(15_000);
  });

  it('and which is new has it since it was seen first, however long this process has watched', async () => {
    await clock.advance(3_600_000);
    hosts.tell('added', host);
    expect(heartbeats.leftMs('h1')).toBe(15_000);
    expect(heartbeats.of('h1')).toEqual({ kind: 'NeverSeen', silentMs: 0, oldMs: Number.POSITIVE_INFINITY });
    await clock.advance(20_000);
    expect(heartbeats.leftMs('h1')).toBe(-5_000);
    expect(heartbeats.of('h1').silentMs).toBe(20_000);
  });

  it('and which was deleted and registered again has it anew', async () => {
    hosts.tell('added', host);
    await clock.advance(3_600_000);
    hosts.tell('deleted', host);
    hosts.tell('added', host);
    expect(heartbeats.leftMs('h1')).toBe(15_000);
  });
});

describe('a host whose lease is seen', () => {
  it('has as long as its own lease says', async () => {
    hosts.tell('added', host);
    await clock.advance(10_000);
    leases.tell('added', lease);
    expect(heartbeats.leftMs('h1')).toBe(20_000);
  });
});
