import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  aborted,
  type Clock,
  KubeClient,
  type LeaderElectionOptions,
  LeaderElector,
  type Leadership,
  leaseKind,
  systemClock,
} from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { type Line, overLine } from './line.ts';
import { configMap, configMapKind, newNamespace } from './objects.ts';

const admin = sharedClient();
afterAll(() => admin.close());

const fast = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 250 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let namespace = '';
beforeEach(async () => {
  namespace = await newNamespace(admin);
});

interface Candidate {
  client: KubeClient;
  line: Line;
  stop: AbortController;
  /** Set while it leads. */
  leadership: Leadership | undefined;
  /** Everything that happened to it, in order. */
  log: string[];
  outcome: Promise<'lost' | 'released'>;
}

async function candidate(identity: string, options: Partial<LeaderElectionOptions> = {}): Promise<Candidate> {
  const { line, options: connect } = await overLine(inject('kubeconfig'));
  const client = new KubeClient(connect);
  const lease = { namespace, name: 'operator' };
  const elector = new LeaderElector({ client, lease, identity, ...fast, ...options });
  const stop = new AbortController();
  const log: string[] = [];
  const lead = async (leadership: Leadership) => {
    self.leadership = leadership;
    log.push(`leads term ${leadership.term}`);
    await Promise.race([aborted(leadership.signal), aborted(stop.signal)]);
    log.push(leadership.signal.aborted ? 'lost' : 'stops');
    self.leadership = undefined;
  };
  const self: Candidate = { client, line, stop, leadership: undefined, log, outcome: elector.run(lead, stop.signal) };
  cleanups.push(async () => {
    stop.abort();
    await self.outcome;
    await client.close();
    await line.close();
  });
  return self;
}

const leads = (one: Candidate) => eventually(`${one.log} leads`, () => one.leadership, 15_000);

describe('LeaderElector', () => {
  it('lets one of several lead, and the next one soon after the first stops', async () => {
    const a = await candidate('a');
    await leads(a);
    const [b, c] = [await candidate('b'), await candidate('c')];
    a.stop.abort();
    expect(await a.outcome).toBe('released');
    const next = await eventually('one of the others leads', () => [b, c].find((one) => one.leadership));
    expect(next.log).toEqual(['leads term 2']);
    expect([b, c].filter((one) => one.leadership)).toHaveLength(1);
    expect((await admin.get(leaseKind, { namespace, name: 'operator' })).spec?.leaseTransitions).toBe(2);
  });

  it('stops a leader that cannot reach the server before another one leads', async () => {
    const a = await candidate('a');
    await leads(a);
    const b = await candidate('b');
    a.line.silence();
    const lost = eventually('a stops itself', () => (a.log.includes('lost') ? performance.now() : undefined));
    const taken = eventually('b leads', () => (b.leadership ? performance.now() : undefined));
    expect(await lost).toBeLessThan(await taken);
    expect(await a.outcome).toBe('lost');
  });

  it('keeps leading through a short outage', async () => {
    const errors: unknown[] = [];
    const a = await candidate('a', { onError: (error) => errors.push(error) });
    await leads(a);
    a.line.cut();
    await eventually('a renewal failed', () => errors.length > 0);
    a.line.heal();
    const before = (await admin.get(leaseKind, { namespace, name: 'operator' })).spec?.renewTime;
    await eventually('it renews again', async () => {
      return (await admin.get(leaseKind, { namespace, name: 'operator' })).spec?.renewTime !== before;
    });
    expect(a.log).toEqual(['leads term 1']);
  });

  it.each([-3_600_000, 3_600_000])('takes no harm from a wall clock that is %d ms off', async (skewMs) => {
    const skewed: Clock = { ...systemClock, now: () => new Date(Date.now() + skewMs) };
    const a = await candidate('a', { clock: skewed });
    await leads(a);
    const b = await candidate('b');
    const renewals = new Set<string | undefined>();
    await eventually('a renewed for longer than the lease lasts', async () => {
      renewals.add((await admin.get(leaseKind, { namespace, name: 'operator' })).spec?.renewTime);
      return renewals.size > fast.leaseDurationMs / fast.retryPeriodMs + 2;
    });
    expect([a.log, b.log]).toEqual([['leads term 1'], []]);
  });

  it('loses the term when someone else wrote itself into the lease', async () => {
    const a = await candidate('a');
    await leads(a);
    const body = { spec: { holderIdentity: 'usurper', leaseTransitions: 9 } };
    await admin.patch(leaseKind, { namespace, name: 'operator' }, { type: 'merge', body });
    expect(await a.outcome).toBe('lost');
  });

  it('begins a new term, not the old one, when a process with the same identity comes back', async () => {
    const spec = { holderIdentity: 'a', leaseDurationSeconds: 600, leaseTransitions: 4 };
    const metadata = { namespace, name: 'operator' };
    await admin.create(leaseKind, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
    const a = await candidate('a');
    expect((await leads(a)).term).toBe(5);
  });

  it.each([
    [{ leaseDurationMs: 1_500 }, /whole seconds/],
    [{ leaseDurationMs: 2_000, renewDeadlineMs: 2_000 }, /renewDeadlineMs < leaseDurationMs/],
    [{ leaseDurationMs: 2_000, renewDeadlineMs: 500, retryPeriodMs: 500 }, /retryPeriodMs < renewDeadlineMs/],
  ])('refuses times that cannot keep two leaders apart: %j', (times, message) => {
    const lease = { namespace, name: 'operator' };
    expect(() => new LeaderElector({ client: admin, lease, identity: 'a', ...times })).toThrow(message);
  });
});

describe('a client guarded by a leadership', () => {
  it('writes while the term lasts, and sends nothing after it', async () => {
    const a = await candidate('a');
    const writer = admin.guardedBy(await leads(a));
    await writer.create(configMapKind, configMap(namespace, 'while', {}));
    a.line.silence();
    expect(await a.outcome).toBe('lost');
    const writes = {
      create: () => writer.create(configMapKind, configMap(namespace, 'after', {})),
      apply: () => writer.apply(configMapKind, configMap(namespace, 'after', {}), { fieldManager: 'a' }),
      patch: () =>
        writer.patch(configMapKind, { namespace, name: 'while' }, { type: 'merge', body: { data: { k: '1' } } }),
      delete: () => writer.delete(configMapKind, { namespace, name: 'while' }),
      raw: () => writer.raw({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/configmaps/while` }),
    };
    for (const [verb, write] of Object.entries(writes)) {
      await expect(write(), verb).rejects.toMatchObject({
        reason: 'LeadershipLost',
        message: expect.stringMatching(/not sent, because a is no longer the leader/),
      });
    }
    expect((await writer.list(configMapKind, { namespace, labelSelector: 'test=yes' })).items).toHaveLength(1);
  });

  it('ends a write under way when the term is lost', async () => {
    const a = await candidate('a');
    const writer = a.client.guardedBy(await leads(a));
    a.line.silence();
    const write = writer.create(configMapKind, configMap(namespace, 'late', {}), { timeoutMs: 60_000 });
    await expect(write).rejects.toMatchObject({ code: 0 });
    expect(await a.outcome).toBe('lost');
  });
});
