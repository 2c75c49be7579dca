import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Migration, MigrationStatus } from '../../../../src/api/migration.ts';
import { type GroupInput, type GroupStep, nextGroupStep } from '../../../../src/core/migration/group-step.ts';
import { migration } from '../../../builders/migration.ts';
import { instance } from '../../../builders/objects.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const SOURCE = 'h1';
const TARGET = 'h2';

/** A group's Migration under way, its VMs and the Migrations made for them: the operator's loop around the pure decision. */
class World {
  readonly hosts: Map<string, string | undefined>;
  readonly parts = new Map<string, Migration>();
  status: Partial<MigrationStatus>;
  isDeleted = false;
  nowMs = NOW_MS;
  last: GroupStep | undefined;

  constructor(names: readonly string[]) {
    this.hosts = new Map(names.map((name) => [name, SOURCE]));
    this.status = {
      phase: 'Preparing',
      targetHost: TARGET,
      members: names.map((virtualMachine) => ({ virtualMachine, sourceHost: SOURCE, state: 'Waiting' })),
    };
  }

  pass(): GroupStep {
    const input: GroupInput = {
      nowMs: this.nowMs,
      migration: migration({
        spec: { virtualMachineName: undefined, ruleGroupName: 'pair', targetHost: undefined },
        metadata: { ...(this.isDeleted && { deletionTimestamp: '2026-03-01T12:00:00Z' }) },
        status: this.status,
      }),
      members: (this.status.members ?? []).map(({ virtualMachine, sourceHost }) => {
        const host = this.hosts.get(virtualMachine);
        return {
          virtualMachine,
          sourceHost,
          instance: host === undefined ? undefined : instance({ spec: { host } }),
          findMigration: (name) => this.parts.get(name),
        };
      }),
      plan: () => ({ ok: false, failures: [] }),
    };
    const step = nextGroupStep(input);
    this.last = step;
    if (step.step === 'Move') {
      this.status = { ...this.status, phase: step.isReturning ? 'Returning' : 'Running' };
      for (const { name, virtualMachine, targetHost } of step.make) {
        expect(this.parts.has(name)).toBe(false);
        this.parts.set(
          name,
          migration({ metadata: { name }, spec: { virtualMachineName: virtualMachine, targetHost } }),
        );
      }
      for (const { metadata } of step.stop) this.end(metadata.name, false);
    }
    if (step.step === 'Succeed' || step.step === 'Fail') {
      this.status = {
        ...this.status,
        phase: step.step === 'Succeed' ? 'Succeeded' : 'Failed',
        members: [...step.members],
      };
    }
    return step;
  }

  get open(): Migration[] {
    return [...this.parts.values()].filter(({ status }) => status?.phase === undefined);
  }

  get isOver(): boolean {
    return this.status.phase === 'Succeeded' || this.status.phase === 'Failed';
  }

  /** One of the Migrations comes to its end. */
  end(name: string, succeeds: boolean): void {
    const part = this.parts.get(name);
    const { virtualMachineName = '', targetHost } = part?.spec ?? {};
    if (part === undefined || part.status?.phase !== undefined) return;
    if (succeeds && this.hosts.get(virtualMachineName) !== undefined) this.hosts.set(virtualMachineName, targetHost);
    const finishedAt = new Date(this.nowMs).toISOString();
    const failures = succeeds ? {} : { failures: [{ reason: 'NotConverging', message: 'it writes too fast' }] };
    const status = { phase: succeeds ? 'Succeeded' : 'Failed', finishedAt, ...failures } as const;
    this.parts.set(name, migration({ metadata: part.metadata, spec: part.spec, status }));
  }

  where(): (string | undefined)[] {
    return [...this.hosts.values()];
  }
}

type Event =
  | { readonly kind: 'ends'; readonly index: number; readonly succeeds: boolean }
  | { readonly kind: 'vanishes'; readonly index: number }
  | { readonly kind: 'deleted' };

/** A pass, and then something that nobody has asked for. */
function happen(world: World, event: Event): void {
  if (world.isOver) return;
  world.pass();
  switch (event.kind) {
    case 'ends':
      world.end(world.open[event.index]?.metadata.name ?? '', event.succeeds);
      return;
    case 'vanishes':
      world.hosts.set([...world.hosts.keys()][event.index] ?? 'a', undefined);
      return;
    case 'deleted':
      world.isDeleted = true;
  }
}

/** From here on everything succeeds. */
function settle(world: World): void {
  for (let round = 0; round < 30 && !world.isOver; round += 1) {
    const step = world.pass();
    for (const { metadata } of world.open) world.end(metadata.name, true);
    if (step.step === 'Move' && step.untilMs !== undefined) world.nowMs = step.untilMs;
  }
}

describe('VMs that are moved as one', () => {
  it('have arrived when all have', () => {
    const world = new World(['a', 'b']);
    world.pass();
    expect(world.open.map(({ spec }) => [spec.virtualMachineName, spec.targetHost])).toEqual([
      ['a', TARGET],
      ['b', TARGET],
    ]);
    for (const { metadata } of world.open) world.end(metadata.name, true);
    expect(world.pass().step).toBe('Succeed');
  });

  it('return when one of them cannot be moved, and nobody begins any more', () => {
    const world = new World(['a', 'b', 'c']);
    world.pass();
    const [a, b] = world.open;
    world.end(a?.metadata.name ?? '', true);
    world.end(b?.metadata.name ?? '', false);
    const step = world.pass();
    expect(step).toMatchObject({
      isReturning: true,
      failure: { reason: 'NotConverging', message: 'VM b: it writes too fast' },
      stop: [{ spec: { virtualMachineName: 'c' } }],
      make: [{ virtualMachine: 'a', targetHost: SOURCE }],
    });
    for (const { metadata } of world.open) world.end(metadata.name, true);
    expect(world.pass().step).toBe('Fail');
    expect(world.where()).toEqual([SOURCE, SOURCE, SOURCE]);
  });

  it('return when their Migration is deleted', () => {
    const world = new World(['a', 'b']);
    world.pass();
    world.end(world.open[0]?.metadata.name ?? '', true);
    world.isDeleted = true;
    expect(world.pass()).toMatchObject({ isReturning: true, failure: { reason: 'Cancelled' } });
  });

  it('are tried again when one cannot return, less and less often, and at last named', () => {
    const world = new World(['a', 'b']);
    world.pass();
    const [a, b] = world.open;
    world.end(a?.metadata.name ?? '', true);
    world.end(b?.metadata.name ?? '', false);
    const waits: number[] = [];
    while (!world.isOver) {
      const step = world.pass();
      for (const { metadata } of world.open) world.end(metadata.name, false);
      if (step.step === 'Move' && step.untilMs !== undefined) {
        waits.push((step.untilMs - world.nowMs) / 1000);
        world.nowMs = step.untilMs;
      }
    }
    expect(waits).toEqual([15, 30, 60, 120]);
    expect(world.last).toMatchObject({ step: 'Fail', members: [{ virtualMachine: 'a', state: 'Failed' }, {}] });
  });

  it('all arrive or all return, whatever fails or goes, and no move is made twice', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('ends' as const), index: fc.nat(4), succeeds: fc.boolean() }),
      fc.record({ kind: fc.constant('vanishes' as const), index: fc.nat(4) }),
      fc.record({ kind: fc.constant('deleted' as const) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), (events) => {
        const world = new World(['a', 'b', 'c', 'd']);
        for (const each of events) happen(world, each);
        settle(world);
        expect(world.isOver).toBe(true);
        const home = world.status.phase === 'Succeeded' ? TARGET : SOURCE;
        const isApart = (world.status.members ?? []).some(({ state }) => state === 'Failed');
        const elsewhere = world.where().filter((host) => host !== undefined && host !== home);
        expect(isApart ? [] : elsewhere).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
