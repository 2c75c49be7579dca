import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  aborted,
  type Clock,
  type KubeClient,
  LeaderElector,
  type Leadership,
  leaderFencePolicy,
  leaderIdentity,
  leaseKind,
  systemClock,
} from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { configMap, configMapKind, newNamespace } from './objects.ts';
import { type OperatorPod, operatorPods, operatorUser, policyBindingKind, policyKind } from './operator-pods.ts';

const admin = sharedClient();
let pods: OperatorPod[] = [];
let namespace = '';

beforeAll(async () => {
  namespace = await newNamespace(admin);
  pods = await operatorPods(admin, namespace, 2);
  const [policy, binding] = leaderFencePolicy({
    name: `fence-${namespace}`,
    lease: { namespace, name: 'operator' },
    username: operatorUser(namespace),
    apiGroups: [''],
  });
  // Held by nobody: as long as there is no lease at all, the fence is open.
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace, name: 'operator' },
    spec: {},
  };
  await admin.create(leaseKind, lease);
  await admin.create(policyKind, policy);
  await admin.create(policyBindingKind, binding);
  const [first] = pods;
  await eventually('the policy is in force', async () => {
    const write = first?.client.create(configMapKind, configMap(namespace, 'probe', {}), { dryRun: true });
    return await write?.then(
      () => false,
      () => true,
    );
  });
});
afterAll(async () => {
  await Promise.all(pods.map(({ client }) => client.close()));
  await admin.delete(policyBindingKind, { name: `fence-${namespace}` });
  await admin.delete(policyKind, { name: `fence-${namespace}` });
  await admin.close();
});

function pod(index: number): OperatorPod {
  const found = pods[index];
  if (!found) throw new Error(`there is no pod ${index}`);
  return found;
}

/** A clock that stands still: what a process sees that is frozen, or whose machine is paused. */
class FreezableClock implements Clock {
  #frozenAtMs: number | undefined;
  freeze(): void {
    this.#frozenAtMs = performance.now();
  }
  now(): Date {
    return new Date();
  }
  monotonicMs(): number {
    return this.#frozenAtMs ?? performance.now();
  }
  setTimeout(callback: () => void, delayMs: number) {
    return systemClock.setTimeout(() => {
      if (this.#frozenAtMs === undefined) callback();
    }, delayMs);
  }
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    await systemClock.sleep(delayMs, signal);
    if (this.#frozenAtMs !== undefined && signal) await aborted(signal);
  }
}

interface Leader {
  leadership: Leadership;
  stop: () => Promise<void>;
}

async function startLeader(client: KubeClient, clock: Clock): Promise<Leader> {
  const elector = new LeaderElector({
    client,
    lease: { namespace, name: 'operator' },
    identity: await leaderIdentity(client),
    leaseDurationMs: 3_000,
    clock,
  });
  const acquired = Promise.withResolvers<Leadership>();
  const end = new AbortController();
  const run = elector.run(async (leadership) => {
    acquired.resolve(leadership);
    await Promise.race([aborted(end.signal), aborted(leadership.signal)]);
  }, end.signal);
  return {
    leadership: await acquired.promise,
    stop: async () => {
      end.abort();
      await run;
    },
  };
}

describe('the fence at the server', () => {
  it('lets only the pod write that holds the lease, even one that still believes to lead', async () => {
    const [old, next] = [pod(0), pod(1)];
    const oldClock = new FreezableClock();
    const first = await startLeader(old.client, oldClock);
    const staleWriter = old.client.guardedBy(first.leadership);
    // Its server-side view of the lease follows within moments.
    await eventually('the first leader may write', () =>
      staleWriter.create(configMapKind, configMap(namespace, 'a', { by: 'first' })).then(
        () => true,
        () => false,
      ),
    );

    oldClock.freeze();
    const second = await startLeader(next.client, systemClock);
    const freshWriter = next.client.guardedBy(second.leadership);
    const wanted = configMap(namespace, 'a', { by: 'second' });
    await eventually('the second leader may write', () =>
      freshWriter.apply(configMapKind, wanted, { fieldManager: 'drover', force: true }).then(
        () => true,
        () => false,
      ),
    );

    // The first one's own clock still says that it leads, so the write leaves; the server refuses it.
    expect(first.leadership.signal.aborted).toBe(false);
    expect(first.leadership.remainingMs('write')).toBeGreaterThan(0);
    const stale = {
      create: () => staleWriter.create(configMapKind, configMap(namespace, 'b', {})),
      apply: () =>
        staleWriter.apply(configMapKind, configMap(namespace, 'a', { by: 'stale' }), {
          fieldManager: 'x',
          force: true,
        }),
      patch: () =>
        staleWriter.patch(configMapKind, { namespace, name: 'a' }, { type: 'merge', body: { data: { by: 'stale' } } }),
      delete: () => staleWriter.delete(configMapKind, { namespace, name: 'a' }),
    };
    for (const [verb, write] of Object.entries(stale)) {
      await expect(write(), verb).rejects.toMatchObject({
        code: 403,
        message: expect.stringMatching(/only the leader may write: the lease .*\/operator is held by "operator-1_/),
      });
    }
    expect((await admin.get(configMapKind, { namespace, name: 'a' })).data).toEqual({ by: 'second' });
    await second.stop();
    await first.stop();
  });

  it('lets nobody write as the operator when there is no leader, and others as ever', async () => {
    await eventually('the lease is released', () =>
      pod(1)
        .client.create(configMapKind, configMap(namespace, 'c', {}), { dryRun: true })
        .then(
          () => false,
          () => true,
        ),
    );
    await admin.create(configMapKind, configMap(namespace, 'by-admin', {}));
  });
});

describe('leaderIdentity', () => {
  it('is the pod of the token, or the machine outside of a pod', async () => {
    expect(await leaderIdentity(pod(0).client)).toMatch(/^operator-0_[0-9a-f-]{36}$/);
    expect(await leaderIdentity(admin)).not.toBe(await leaderIdentity(admin));
  });
});
