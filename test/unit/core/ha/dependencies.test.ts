import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Host } from '../../../../src/api/host.ts';
import type { VirtualMachine } from '../../../../src/api/virtual-machine.ts';
import {
  awaitedBy,
  type Dependency,
  dependenciesInEffect,
  dependenciesVerdict,
  dependencyCycle,
  type FindDependency,
  judgeDependency,
} from '../../../../src/core/ha/dependencies.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';

const ABSENT: Dependency = { vm: undefined, instance: undefined, host: undefined };

function host(state: 'Online' | 'Fenced' = 'Online', bootID = 'boot-1'): Host {
  const availability = { state, since: '', bootID, reason: '', message: '' };
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1', uid: 'h', generation: 1 },
    spec: {},
    status: { bootID, conditions: [], availability },
  });
}

const running = { host: 'h1', observedEpoch: 1, bootID: 'boot-1', phase: 'Running', conditions: [] };
const base = (
  changes: { spec?: Record<string, unknown>; status?: object | undefined; host?: Host | undefined } = {},
): Dependency => ({
  vm: virtualMachine({ metadata: { name: 'base' }, spec: changes.spec ?? {} }),
  instance: instance({ metadata: { name: 'base' }, status: { ...running, ...changes.status } }),
  host: 'host' in changes ? changes.host : host(),
});

describe('a VM that others depend on', () => {
  const tools = { connected: true, addresses: [] };
  it.each([
    ['runs', 'Running', base(), 'Ready'],
    ['is paused, as its spec says', 'Running', base({ status: { phase: 'Paused' } }), 'Ready'],
    ['is being started', 'Running', base({ status: { phase: 'Starting' } }), 'NotReady'],
    ['ran in an earlier placement', 'Running', base({ status: { observedEpoch: 0 } }), 'NotReady'],
    ['ran in an earlier boot of its host', 'Running', base({ status: { bootID: 'boot-0' } }), 'NotReady'],
    ['was on a host that is dead', 'Running', base({ host: host('Fenced') }), 'NotReady'],
    ['was on a host of which nothing is known', 'Running', base({ host: undefined }), 'NotReady'],
    ['is on no host yet', 'Running', { ...base(), instance: undefined }, 'NotReady'],
    ['runs, without its tools', 'GuestToolsConnected', base(), 'NotReady'],
    ['runs with its tools', 'GuestToolsConnected', base({ status: { guestTools: tools } }), 'Ready'],
    ['does not exist', 'Running', ABSENT, 'NotWaitedFor'],
    ['is halted', 'Running', base({ spec: { runStrategy: 'Halted' } }), 'NotWaitedFor'],
    ['shut itself down', 'Running', base({ status: { phase: 'Off', reason: 'GuestShutdown' } }), 'NotWaitedFor'],
    [
      'is not run elsewhere, and its host is dead',
      'Running',
      base({ spec: { ha: { enabled: false } }, host: host('Fenced') }),
      'NotWaitedFor',
    ],
  ] as const)('and %s (%s) is %3$s', (_, readyWhen, given, verdict) => {
    expect(judgeDependency({ readyWhen }, given).verdict).toBe(verdict);
  });
});

/** VMs of one namespace that depend on each other as the graph says. */
function graph(edges: Readonly<Record<string, readonly string[]>>): (name: string) => VirtualMachine {
  return (name) =>
    virtualMachine({
      metadata: { name },
      spec: { ha: { dependsOn: (edges[name] ?? []).map((to) => ({ name: to })) } },
    });
}
const finder =
  (vmOf: (name: string) => VirtualMachine): FindDependency =>
  (name) => ({ ...ABSENT, vm: vmOf(name) });

describe('VMs that depend on each other in a circle', () => {
  const vmOf = graph({ a: ['b', 'x'], b: ['c'], c: ['a'], d: ['a'] });
  const find = finder(vmOf);

  it('are told the way around', () => {
    expect(dependencyCycle(vmOf('a'), find)).toEqual(['a', 'b', 'c', 'a']);
    expect(dependencyCycle(vmOf('d'), find)).toBeUndefined();
    const verdict = dependenciesVerdict(vmOf('b'), find);
    expect(verdict).toMatchObject({ ok: false, reason: 'DependencyCycle' });
    expect(verdict).toMatchObject({ message: expect.stringContaining('b → c → a → b') });
  });

  it('do not wait for each other, and still for those outside of it', () => {
    expect(dependenciesInEffect(vmOf('a'), find).map(({ name }) => name)).toEqual(['x']);
    expect(dependenciesInEffect(vmOf('d'), find).map(({ name }) => name)).toEqual(['a']);
  });

  it('or however they depend: what is in effect leads never back, and without a circle all of it is', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const others = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 });
    fc.assert(
      fc.property(fc.tuple(others, others, others, others, others), (lists) => {
        const edges = Object.fromEntries(
          names.map((name, index) => [name, (lists[index] ?? []).filter((to) => to !== name)]),
        );
        const of = graph(edges);
        const inEffect = Object.fromEntries(
          names.map((name) => [name, dependenciesInEffect(of(name), finder(of)).map((each) => each.name)]),
        );
        const pruned = graph(inEffect);
        for (const name of names) {
          expect(dependencyCycle(pruned(name), finder(pruned))).toBeUndefined();
          if (dependencyCycle(of(name), finder(of)) === undefined) expect(inEffect[name]).toEqual(edges[name]);
        }
      }),
    );
  });
});

describe('the wait for a VM', () => {
  const vm = virtualMachine({
    metadata: { name: 'web' },
    spec: { ha: { dependsOn: [{ name: 'base', timeoutSeconds: 60 }] } },
  });
  const find: FindDependency = () => base({ status: { phase: 'Starting' } });

  it('has its bound, after which it is started without it', () => {
    expect(awaitedBy(vm, find, 1_000, 60_999)).toEqual([
      { name: 'base', why: 'does not run yet on host h1', untilMs: 61_000 },
    ]);
    expect(awaitedBy(vm, find, 1_000, 61_000)).toEqual([]);
  });

  it('ends when it is ready, or nothing can be waited for', () => {
    expect(awaitedBy(vm, () => base(), 1_000, 2_000)).toEqual([]);
    expect(awaitedBy(vm, () => ABSENT, 1_000, 2_000)).toEqual([]);
    expect(dependenciesVerdict(vm, () => ABSENT)).toMatchObject({
      ok: false,
      reason: 'NotWaitedFor',
      message: 'VM "base" does not exist, and is not waited for',
    });
    expect(dependenciesVerdict(vm, find)).toMatchObject({ ok: false, reason: 'DependencyNotReady' });
    expect(dependenciesVerdict(vm, () => base())).toEqual({ ok: true });
    expect(dependenciesVerdict(virtualMachine(), find)).toBeUndefined();
  });
});
