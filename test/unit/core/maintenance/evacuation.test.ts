import { describe, expect, it } from 'vitest';
import { Host, type HostStatus } from '../../../../src/api/host.ts';
import { type EvacuationInput, type Evacuee, nextEvacuationStep } from '../../../../src/core/maintenance/evacuation.ts';
import { hostObject, migration } from '../../../builders/migration.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const at = (secondsAgo: number) => new Date(NOW_MS - secondsAgo * 1000).toISOString();

function host(spec: object, status: Partial<HostStatus> = {}): Host {
  const object = hostObject('h1', status);
  return { ...object, spec: Host.object.parse({ ...object, spec }).spec };
}

const EVACUATE = { maintenance: 'Evacuate' };

function evacuee(name: string, changes: Partial<Evacuee> = {}): Evacuee {
  const key = `default/${name}`;
  return {
    key,
    together: [key],
    ruleGroup: undefined,
    underWay: [],
    failed: [],
    plan: () => ({ ok: true }),
    ...changes,
  };
}

function step(changes: Partial<EvacuationInput>) {
  return nextEvacuationStep({
    nowMs: NOW_MS,
    host: host(EVACUATE),
    isKeptEmpty: false,
    evacuees: [],
    atOnce: 4,
    ...changes,
  });
}

const stuck: Evacuee['plan'] = () => ({
  ok: false,
  failures: [
    { reason: 'LocalDisk', message: 'its disk is here' },
    { reason: 'SwitchNotAvailable', message: 'nobody has its switch' },
  ],
});

const names = (evacuees: readonly Evacuee[]) => evacuees.map(({ key }) => key);
const ours = (phase?: 'Pending' | 'Running') =>
  migration({ spec: { cause: 'Maintenance' }, ...(phase && { status: { phase } }) });

describe('a host that is to be empty', () => {
  it('is left by all that can leave, and names those that cannot with every reason', () => {
    const { move, evacuation } = step({ evacuees: [evacuee('a'), evacuee('b', { plan: stuck }), evacuee('c')] });
    expect(names(move)).toEqual(['default/a', 'default/c']);
    expect(evacuation).toEqual({
      cause: 'Spec',
      since: at(0),
      total: 3,
      remaining: 3,
      moving: 2,
      blocked: [
        { virtualMachine: 'default/b', reason: 'LocalDisk', message: 'its disk is here; nobody has its switch' },
      ],
    });
  });

  it('is left by no more at once than may wait, whoever asked for the moves that are under way', () => {
    const underWay = [migration({ metadata: { uid: 'x' } })];
    const evacuees = [evacuee('a', { underWay }), evacuee('b'), evacuee('c')];
    expect(names(step({ evacuees, atOnce: 2 }).move)).toEqual(['default/b']);
  });

  it('is left as one by VMs that keep together', () => {
    const together = ['default/a', 'default/b'];
    const pair = { together, ruleGroup: 'pair' };
    const { move, evacuation } = step({ evacuees: [evacuee('a', pair), evacuee('b', pair), evacuee('c')] });
    expect(names(move)).toEqual(['default/a', 'default/c']);
    expect(evacuation).toMatchObject({ remaining: 3, moving: 3 });
  });

  it('counts from where it began', () => {
    const before = { cause: 'Spec', since: at(60), total: 9, remaining: 4, moving: 0 } as const;
    const { evacuation } = step({ host: host(EVACUATE, { evacuation: before }), evacuees: [evacuee('a')] });
    expect(evacuation).toMatchObject({ since: at(60), total: 9, remaining: 1 });
    expect(step({ host: host(EVACUATE, { evacuation: before }) }).evacuation).toMatchObject({ total: 9, remaining: 0 });
  });

  it('waits longer each time before it tries a VM again that could not be moved', () => {
    const failed = (secondsAgo: number) =>
      migration({
        status: {
          phase: 'Failed',
          finishedAt: at(secondsAgo),
          failures: [{ reason: 'TimedOut', message: 'too slow' }],
        },
      });
    const once = step({ evacuees: [evacuee('a', { failed: [failed(29)] })] });
    expect(once).toMatchObject({ move: [], untilMs: NOW_MS + 1_000 });
    expect(once.evacuation?.blocked?.[0]).toMatchObject({
      reason: 'TimedOut',
      message: expect.stringContaining('too slow; it is tried again at'),
    });
    expect(names(step({ evacuees: [evacuee('a', { failed: [failed(30)] })] }).move)).toEqual(['default/a']);
    expect(step({ evacuees: [evacuee('a', { failed: [failed(90), failed(59)] })] }).move).toEqual([]);
    expect(names(step({ evacuees: [evacuee('a', { failed: [failed(90), failed(60)] })] }).move)).toEqual(['default/a']);
  });

  it('may be one because its Node is cordoned, unless its spec says otherwise', () => {
    const evacuees = [evacuee('a')];
    expect(step({ host: host({}, { nodeCordoned: true }), evacuees }).evacuation).toMatchObject({
      cause: 'NodeCordoned',
    });
    expect(
      step({ host: host({ evacuateWhenCordoned: false }, { nodeCordoned: true }), evacuees }).evacuation,
    ).toBeUndefined();
  });
});

describe('a host that is kept empty for failovers', () => {
  it('is left again by what a failover has brought there, and then has nothing to tell', () => {
    const of = { host: host({}), isKeptEmpty: true };
    const { move, evacuation } = step({ ...of, evacuees: [evacuee('a')] });
    expect(names(move)).toEqual(['default/a']);
    expect(evacuation).toMatchObject({ cause: 'FailoverHost', remaining: 1 });
    expect(step(of)).toEqual({ move: [], stop: [], evacuation: undefined });
    expect(step({ ...of, isKeptEmpty: false, evacuees: [evacuee('a')] }).move).toEqual([]);
  });
});

describe('a host that is not to be empty any more', () => {
  it('stops its own moves that have not begun, and no others', () => {
    const [waiting, running, users] = [ours('Pending'), ours('Running'), migration()];
    const evacuees = [waiting, ours(), running, users].map((each, index) =>
      evacuee(`vm-${index}`, { underWay: [each] }),
    );
    const { stop, move, evacuation } = step({ host: host({}), evacuees });
    expect(stop.map(({ status }) => status?.phase)).toEqual(['Pending', undefined]);
    expect([move, evacuation]).toEqual([[], undefined]);
  });
});
