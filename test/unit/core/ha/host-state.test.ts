import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import type { HostAvailability } from '../../../../src/api/host-availability.ts';
import { afterFence } from '../../../../src/core/ha/fencing.ts';
import { isNews, nextHostStep } from '../../../../src/core/ha/host-state.ts';
import type { HostInput } from '../../../../src/core/ha/host-step.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00.000Z');
const at = (seconds: number) => new Date(NOW_MS + seconds * 1000).toISOString();
const policy = (spec: object = {}) => HAPolicy.spec.parse(spec);
const seen = (seconds: number) => ({ kind: 'Seen', silentMs: seconds * 1000 }) as const;
const ON = { kind: 'Read', state: 'On' } as const;
const OFF = { kind: 'Read', state: 'Off' } as const;
const BY_LEASE = policy({ fencing: { order: ['StorageLease'] } });
const BY_BOTH = policy({ fencing: { order: ['BMC', 'StorageLease'] } });
const RENEWED = { kind: 'Alive', by: 'host-1' } as const;
const RUNS_OUT = { kind: 'Silent', by: 'host-1', remainingMs: 700 } as const;
const LAPSED = { kind: 'Lapsed', by: 'host-1', silentMs: 33_000 } as const;
const FOLLOWED = { kind: 'Followed', by: 'host-1', next: 'boot-1.2' } as const;
const UNSEEN = { kind: 'Unknown', message: 'nobody sees it' } as const;
const NO_BMC = { kind: 'None', message: 'it has no BMC (spec.power.bmc)' } as const;

/** A host of three that runs VMs, has a BMC, and renewed its lease a second ago. */
function input(changes: Partial<HostInput> = {}): HostInput {
  return {
    nowMs: NOW_MS,
    host: 'host-2',
    bootID: 'boot-1',
    before: state('Online'),
    policy: policy(),
    heartbeat: seen(1),
    answer: undefined,
    unanswered: 0,
    power: ON,
    isOver: false,
    lease: { kind: 'None' },
    toRecover: 3,
    placed: 3,
    unsettled: 0,
    inMaintenance: false,
    cluster: { hosts: 3, silent: 0 },
    confirmed: undefined,
    ...changes,
  };
}

function state(name: HostAvailability['state'], changes: Partial<HostAvailability> = {}): HostAvailability {
  const detectedAt = name === 'Online' ? {} : { detectedAt: at(-10) };
  return { state: name, since: at(-60), bootID: 'boot-1', reason: 'Alive', message: '', ...detectedAt, ...changes };
}

/** Silent for so long, asked in vain. */
const silent = (seconds: number, changes: Partial<HostInput> = {}) =>
  input({ heartbeat: seen(seconds), answer: 'Nobody', unanswered: 3, cluster: { hosts: 3, silent: 1 }, ...changes });

const fence = (changes: Partial<NonNullable<HostAvailability['fence']>> = {}) => ({
  fence: { bootID: 'boot-1', method: 'BMC' as const, startedAt: at(-5), attempts: 1, ...changes },
});

interface Row {
  readonly it: string;
  readonly given: HostInput;
  readonly state: HostAvailability['state'];
  readonly reason: string;
  readonly fence?: boolean;
}

const ROWS: readonly Row[] = [
  { it: 'that renews its lease is online', given: input(), state: 'Online', reason: 'Alive' },
  {
    it: 'that renews no more but answers is not fenced: only its way to the API server is gone',
    given: silent(60, { answer: 'Agent', unanswered: 0 }),
    state: 'Online',
    reason: 'AgentCutOffFromAPI',
  },
  {
    it: 'whose machine answers without its agent runs no VM any more once its lease has lapsed',
    given: silent(60, { answer: 'Host', policy: BY_LEASE, power: NO_BMC, lease: LAPSED }),
    state: 'Fenced',
    reason: 'LeaseLapsed',
  },
  {
    it: 'that answers without its agent is not fenced: its VMs may run on',
    given: silent(3600, { answer: 'Host', unanswered: 0 }),
    state: 'Suspect',
    reason: 'AgentNotResponding',
  },
  {
    it: 'is off when its BMC reads so, whatever answers at its address',
    given: silent(60, { answer: 'Host', unanswered: 0, power: OFF }),
    state: 'Fenced',
    reason: 'PowerIsOff',
  },
  { it: 'that has missed a renewal is a suspect', given: silent(5), state: 'Suspect', reason: 'Silent' },
  {
    it: 'that was asked only once is still a suspect, however long it is silent',
    given: silent(60, { unanswered: 1 }),
    state: 'Suspect',
    reason: 'Silent',
  },
  {
    it: 'whose power reads off is dead at once',
    given: silent(5, { power: OFF }),
    state: 'Fenced',
    reason: 'PowerIsOff',
  },
  {
    it: 'whose power reads off is believed rather than the network, when many are silent',
    given: silent(5, { power: OFF, cluster: { hosts: 3, silent: 3 } }),
    state: 'Fenced',
    reason: 'PowerIsOff',
  },
  {
    it: 'that renews its lease is not dead because its BMC says so',
    given: input({ power: OFF }),
    state: 'Online',
    reason: 'Alive',
  },
  { it: 'without any sign of life is fenced', given: silent(9), state: 'Fencing', reason: 'CuttingPower', fence: true },
  {
    it: 'is fenced also where its BMC could not be read: the order may get through',
    given: silent(9, { power: { kind: 'Failed', message: 'timeout' } }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'without VMs to recover is left alone',
    given: silent(60, { toRecover: 0 }),
    state: 'Dead',
    reason: 'NothingToRecover',
  },
  { it: 'without BMC waits for a proof', given: silent(60, { power: NO_BMC }), state: 'Dead', reason: 'NoProof' },
  {
    it: 'is not fenced where the policy names no method',
    given: silent(60, { policy: policy({ fencing: { order: [] } }), power: NO_BMC }),
    state: 'Dead',
    reason: 'NoFencingMethod',
  },
  {
    it: 'is not fenced where its VMs wait for it',
    given: silent(60, { policy: policy({ hostFault: { action: 'RestoreOnOriginalHost' } }) }),
    state: 'Dead',
    reason: 'NotToBeFenced',
  },
  {
    it: 'is not fenced where nothing is done about faults',
    given: silent(60, { policy: policy({ hostFault: { action: 'None' } }) }),
    state: 'Dead',
    reason: 'NotToBeFenced',
  },
  {
    it: 'is one of two silent ones of three: the network is at fault',
    given: silent(60, { cluster: { hosts: 3, silent: 2 } }),
    state: 'Dead',
    reason: 'TooManySilent',
  },
  {
    it: 'is one of two silent ones of four: both are fenced',
    given: silent(60, { cluster: { hosts: 4, silent: 2 } }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'of two is fenced, since one at a time always may be',
    given: silent(60, { cluster: { hosts: 2, silent: 1 }, policy: policy({ fencing: { maxSimultaneousPercent: 0 } }) }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'has the time to come back that the policy gives it',
    given: silent(20, {
      before: state('Dead', { detectedAt: at(-15) }),
      policy: policy({ hostFault: { delaySeconds: 16 } }),
    }),
    state: 'Dead',
    reason: 'Delayed',
  },
  {
    it: 'is fenced when that time is over',
    given: silent(20, {
      before: state('Dead', { detectedAt: at(-16) }),
      policy: policy({ hostFault: { delaySeconds: 16 } }),
    }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'that renews its lease on storage is isolated, and its power is not cut',
    given: silent(60, { policy: BY_BOTH, lease: RENEWED }),
    state: 'Isolated',
    reason: 'LeaseRenewed',
  },
  {
    it: 'whose lease on storage is not renewed either waits until that has surely lapsed',
    given: silent(60, { policy: BY_LEASE, power: NO_BMC, lease: RUNS_OUT }),
    state: 'Dead',
    reason: 'LeaseRunsOut',
  },
  {
    it: 'whose lease on storage has lapsed is over',
    given: silent(60, { policy: BY_LEASE, power: NO_BMC, lease: LAPSED }),
    state: 'Fenced',
    reason: 'LeaseLapsed',
  },
  {
    it: 'whose lease on storage has lapsed is over, however many are silent',
    given: silent(60, { policy: BY_LEASE, power: NO_BMC, lease: LAPSED, cluster: { hosts: 3, silent: 2 } }),
    state: 'Fenced',
    reason: 'LeaseLapsed',
  },
  {
    it: 'whose lease on storage nobody sees proves nothing',
    given: silent(600, { policy: BY_LEASE, power: NO_BMC, lease: UNSEEN }),
    state: 'Dead',
    reason: 'NoProof',
  },
  {
    it: 'that has a BMC is fenced by it, without waiting for its lease to lapse',
    given: silent(9, { policy: BY_BOTH, lease: RUNS_OUT }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'without a BMC waits for its lease to lapse where the policy goes by both',
    given: silent(9, { policy: BY_BOTH, power: NO_BMC, lease: RUNS_OUT }),
    state: 'Dead',
    reason: 'LeaseRunsOut',
  },
  {
    it: 'whose fencing fails is over once its lease on storage has lapsed',
    given: silent(60, {
      policy: BY_BOTH,
      lease: LAPSED,
      before: state('Fencing', { reason: 'FencingFailed', ...fence({ startedAt: at(-1), message: 'x' }) }),
    }),
    state: 'Fenced',
    reason: 'LeaseLapsed',
  },
  {
    it: 'that answers is not over because its lease on storage has lapsed',
    given: silent(60, { policy: BY_LEASE, answer: 'Agent', unanswered: 0, lease: LAPSED }),
    state: 'Online',
    reason: 'AgentCutOffFromAPI',
  },
  {
    it: 'is believed to be off when an administrator says so',
    given: silent(60, { confirmed: 'boot-1', power: NO_BMC }),
    state: 'Fenced',
    reason: 'ConfirmedByAdministrator',
  },
  {
    it: 'is not off because an administrator has said so of an earlier boot',
    given: silent(60, { confirmed: 'boot-0', power: NO_BMC }),
    state: 'Dead',
    reason: 'NoProof',
  },
  {
    it: 'that is alive is not off because an administrator says so',
    given: input({ confirmed: 'boot-1' }),
    state: 'Online',
    reason: 'ConfirmationRefused',
  },
  {
    it: 'that was not dead for long enough is not off because an administrator says so',
    given: silent(5, { confirmed: 'boot-1', power: NO_BMC }),
    state: 'Suspect',
    reason: 'Silent',
  },
  {
    it: 'that was silent before the operator began to watch is given time to come up',
    given: silent(60, { heartbeat: { kind: 'NeverSeen', silentMs: 60_000, oldMs: 3_600_000 } }),
    state: 'Dead',
    reason: 'QuietTime',
  },
  {
    it: 'that died together with the operator is fenced by the next one as soon as any',
    given: silent(9, { heartbeat: { kind: 'NeverSeen', silentMs: 9_000, oldMs: 20_000 } }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'is not judged by an operator that has just begun to watch',
    given: input({
      before: state('Dead', { reason: 'Delayed' }),
      heartbeat: { kind: 'NeverSeen', silentMs: 0, oldMs: 9e9 },
    }),
    state: 'Dead',
    reason: 'Delayed',
  },
  {
    it: 'whose fencing an earlier operator had begun is fenced by the next one at once',
    given: input({
      before: state('Fencing', fence()),
      heartbeat: { kind: 'NeverSeen', silentMs: 0, oldMs: 9e9 },
      answer: 'Nobody',
    }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'that has lived since an earlier operator began to fence it has its whole time again',
    given: silent(5, {
      before: state('Fencing', fence({ startedAt: at(-60) })),
      heartbeat: { kind: 'NeverSeen', silentMs: 5_000, oldMs: 20_000 },
    }),
    state: 'Suspect',
    reason: 'Silent',
  },
  {
    it: 'that has lived since an earlier operator began to fence it is fenced when that time is over',
    given: silent(8, {
      before: state('Fencing', fence({ startedAt: at(-60) })),
      heartbeat: { kind: 'NeverSeen', silentMs: 8_000, oldMs: 23_000 },
    }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'whose fencing an earlier operator had carried out is off',
    given: input({
      before: state('Fencing', fence()),
      heartbeat: { kind: 'NeverSeen', silentMs: 0, oldMs: 9e9 },
      answer: 'Nobody',
      power: OFF,
    }),
    state: 'Fenced',
    reason: 'PoweredOff',
  },
  {
    it: 'whose fencing failed is tried again after a while',
    given: silent(30, {
      before: state('Fencing', { reason: 'FencingFailed', ...fence({ startedAt: at(-1), message: 'x' }) }),
    }),
    state: 'Fencing',
    reason: 'FencingFailed',
    fence: false,
  },
  {
    it: 'whose fencing failed is tried again when that is over',
    given: silent(30, {
      before: state('Fencing', { reason: 'FencingFailed', ...fence({ startedAt: at(-2), message: 'x' }) }),
    }),
    state: 'Fencing',
    reason: 'CuttingPower',
    fence: true,
  },
  {
    it: 'that comes back while its fencing fails is online',
    given: input({ before: state('Fencing', { reason: 'FencingFailed', ...fence({ message: 'x' }) }) }),
    state: 'Online',
    reason: 'Alive',
  },
  {
    it: 'stays fenced although a renewal of before arrives late',
    given: input({ before: state('Fenced', { reason: 'PoweredOff', ...fence({ confirmedAt: at(-1) }) }) }),
    state: 'Fenced',
    reason: 'PoweredOff',
  },
  {
    it: 'that answers although it was proven to be off gives the proof the lie',
    given: input({ before: state('Fenced', fence({ confirmedAt: at(-1) })), answer: 'Agent' }),
    state: 'Suspect',
    reason: 'ProofContradicted',
  },
  {
    it: 'whose proof was contradicted is shown so for as long as that boot lives',
    given: input({ before: state('Suspect', { reason: 'ProofContradicted' }), answer: 'Agent' }),
    state: 'Suspect',
    reason: 'ProofContradicted',
  },
  {
    it: 'is rid of a contradicted proof with its next boot',
    given: input({ bootID: 'boot-2', before: state('Suspect', { reason: 'ProofContradicted' }) }),
    state: 'Online',
    reason: 'Alive',
  },
  {
    it: 'stays fenced while its agent has begun anew and has not told in which boot',
    given: input({ before: state('Fenced', fence({ confirmedAt: at(-1) })), answer: 'NewAgent' }),
    state: 'Fenced',
    reason: 'Alive',
  },
  {
    it: 'that says that its lease has lapsed and no guest is left is over, although it lives',
    given: input({ isOver: true }),
    state: 'Fenced',
    reason: 'AwaitsStorage',
  },
  {
    it: 'that has said so is online again with the next term',
    given: input({
      bootID: 'boot-1.2',
      before: state('Fenced', fence({ method: 'StorageLease', confirmedAt: at(-1) })),
    }),
    state: 'Online',
    reason: 'Alive',
  },
  {
    it: 'whose keeper has begun the next term is over in the one before',
    given: silent(60, { policy: BY_LEASE, power: NO_BMC, lease: FOLLOWED }),
    state: 'Fenced',
    reason: 'LeaseLapsed',
  },
  {
    it: 'that was proven to be over by its lease can be confirmed to be off altogether',
    given: silent(60, {
      before: state('Fenced', fence({ method: 'StorageLease', confirmedAt: at(-1) })),
      confirmed: 'boot-1',
    }),
    state: 'Fenced',
    reason: 'ConfirmedByAdministrator',
  },
  {
    it: 'that was proven to be over by its lease and answers is not confirmed to be off',
    given: input({
      before: state('Fenced', fence({ method: 'StorageLease', confirmedAt: at(-1) })),
      answer: 'Agent',
      confirmed: 'boot-1',
    }),
    state: 'Fenced',
    reason: 'AwaitsStorage',
  },
  {
    it: 'that answers although its lease had lapsed has ended its VMs, and waits for its storage',
    given: input({ before: state('Fenced', fence({ method: 'StorageLease', confirmedAt: at(-1) })), answer: 'Agent' }),
    state: 'Fenced',
    reason: 'AwaitsStorage',
  },
  {
    it: 'is online again with another boot',
    given: input({ bootID: 'boot-2', before: state('Fenced', fence({ confirmedAt: at(-1) })) }),
    state: 'Online',
    reason: 'Alive',
  },
  {
    it: 'that is silent again after another boot is judged anew',
    given: silent(5, { bootID: 'boot-2', before: state('Fenced', fence({ confirmedAt: at(-1) })) }),
    state: 'Suspect',
    reason: 'Silent',
  },
];

describe('a host', () => {
  it.each(ROWS)('$it', ({ given, state: wanted, reason, fence: isFenced }) => {
    const step = nextHostStep(given);
    expect(step.availability).toMatchObject({ state: wanted, reason, bootID: given.bootID });
    if (isFenced !== undefined) expect(step.fence).toBe(isFenced);
    else expect(step.fence).toBe(false);
  });

  it('tells how an administrator helps where nothing proves that it is off', () => {
    const { message } = nextHostStep(silent(60, { power: NO_BMC })).availability;
    expect(message).toContain('kubectl annotate host host-2 --overwrite drover.dev/confirm-fenced=boot-1');
  });

  it('tells of no attempt any more that was not brought to its end when it is back', () => {
    const given = input({ before: state('Fencing', fence({ attempts: 3, message: 'its BMC does not answer' })) });
    expect(nextHostStep(given).availability).toMatchObject({ state: 'Online', reason: 'Alive' });
    expect(nextHostStep(given).availability).not.toHaveProperty('fence');
  });

  it('keeps the proof of an earlier boot when it is back', () => {
    const before = state('Fenced', fence({ confirmedAt: at(-1) }));
    expect(nextHostStep(input({ bootID: 'boot-2', before })).availability.fence).toEqual(before.fence);
  });

  it('has no proof any more once it has answered', () => {
    const before = state('Fenced', fence({ confirmedAt: at(-1) }));
    expect(nextHostStep(input({ before, answer: 'Agent' })).availability.fence?.confirmedAt).toBeUndefined();
  });

  it('counts from the first moment that its silence was noticed', () => {
    const first = nextHostStep(silent(5)).availability;
    const later = nextHostStep(silent(6, { nowMs: NOW_MS + 1000, before: first })).availability;
    expect([first.detectedAt, later.detectedAt]).toEqual([at(0), at(0)]);
  });

  it('counts the attempts to fence it', () => {
    const before = state('Fencing', {
      reason: 'FencingFailed',
      ...fence({ attempts: 2, startedAt: at(-60), message: 'x' }),
    });
    expect(nextHostStep(silent(60, { before })).availability.fence).toMatchObject({ attempts: 3, startedAt: at(-60) });
  });

  it('changes nothing that is written as long as nothing changes', () => {
    const first = nextHostStep(input({ before: undefined })).availability;
    const later = nextHostStep(input({ before: first, nowMs: NOW_MS + 60_000, heartbeat: seen(2) })).availability;
    expect(later).toEqual(first);
  });
});

describe('an administrator who confirms that a host is off', () => {
  const machine = (changes: Partial<HostInput> = {}) =>
    silent(60, { answer: 'Host', confirmed: 'boot-1', toRecover: 1, ...changes });

  it('is refused in words while the machine answers, although its agent does not', () => {
    const { availability, fence: isFenced } = nextHostStep(machine());
    expect(availability).toMatchObject({
      state: 'Suspect',
      reason: 'ConfirmationRefused',
      refusedConfirmation: 'boot-1',
    });
    expect(availability.message).toContain('kubectl annotate host host-2 drover.dev/confirm-fenced-');
    expect(isFenced).toBe(false);
  });

  it('is not believed later, when the same machine falls silent: nobody has looked since', () => {
    const before = nextHostStep(machine()).availability;
    const without = { power: NO_BMC, confirmed: 'boot-1' };
    const after = nextHostStep(silent(60, { before, ...without }));
    expect(after.availability).toMatchObject({ state: 'Dead', reason: 'NoProof', refusedConfirmation: 'boot-1' });
    expect(after.availability.message).toContain('take it away first');
    const alive = nextHostStep(input({ confirmed: 'boot-1' })).availability;
    expect(nextHostStep(silent(60, { before: alive, ...without })).availability.state).toBe('Dead');
  });

  it('is believed who takes it back, and confirms it anew', () => {
    const refused = nextHostStep(machine()).availability;
    const before = nextHostStep(silent(60, { before: refused, power: NO_BMC })).availability;
    expect(before.refusedConfirmation).toBeUndefined();
    const { availability } = nextHostStep(silent(61, { before, power: NO_BMC, confirmed: 'boot-1' }));
    expect(availability).toMatchObject({ state: 'Fenced', fence: { method: 'Administrator' } });
  });

  it('says nothing of the boot after that', () => {
    const before = nextHostStep(machine()).availability;
    const { availability } = nextHostStep(input({ before, bootID: 'boot-2', confirmed: 'boot-1' }));
    expect(availability).toMatchObject({ state: 'Online', reason: 'Alive' });
    expect(availability.refusedConfirmation).toBeUndefined();
  });
});

describe('a host that was fenced', () => {
  const before = state('Fenced', fence({ confirmedAt: at(-1) }));
  const back = (changes: Partial<HostInput> = {}) => input({ before, bootID: 'boot-2', ...changes });

  it('is Recovered from its next boot on, until it has told of all that it may have', () => {
    const first = nextHostStep(back({ unsettled: 2 })).availability;
    expect(first).toMatchObject({ state: 'Recovered', reason: 'Reconciling', bootID: 'boot-2' });
    expect(first.message).toContain('2 of its VMs or domains are not settled');
    const later = nextHostStep(back({ before: first, unsettled: 1, nowMs: NOW_MS + 3_000 })).availability;
    expect(later).toMatchObject({ state: 'Recovered', since: at(0) });
    const settled = nextHostStep(back({ before: later, nowMs: NOW_MS + 6_000 })).availability;
    expect(settled).toMatchObject({ state: 'Online', reason: 'Alive', since: at(6) });
    // What comes later is no recovery.
    expect(nextHostStep(back({ before: settled, unsettled: 1 })).availability.state).toBe('Online');
  });

  it('is so also for an operator that has just begun', () => {
    const heartbeat = { kind: 'NeverSeen', silentMs: 100, oldMs: 2_000 } as const;
    const first = nextHostStep(back({ unsettled: 1, heartbeat })).availability;
    expect(first.state).toBe('Recovered');
    expect(nextHostStep(back({ before: first, unsettled: 1 })).availability.state).toBe('Recovered');
  });

  it('and booted by itself is Online at once when nothing is left to look for', () => {
    expect(nextHostStep(back()).availability.state).toBe('Online');
  });

  it('is none that was never proven to be off', () => {
    expect(nextHostStep(back({ before: state('Dead'), unsettled: 2 })).availability.state).toBe('Online');
  });
});

describe('a host that is powered off on purpose', () => {
  const emptied = (changes: Partial<HostInput> = {}) =>
    silent(60, { power: OFF, inMaintenance: true, placed: 0, toRecover: 0, ...changes });

  it('is on standby, and proven to be off like a fenced one', () => {
    const { availability } = nextHostStep(emptied());
    expect(availability).toMatchObject({
      state: 'Standby',
      reason: 'PoweredOffInMaintenance',
      fence: { bootID: 'boot-1', confirmedAt: at(0) },
    });
    expect(nextHostStep(emptied({ before: availability })).availability).toEqual(availability);
  });

  it.each([
    ['VMs are placed on it', { placed: 1 }],
    ['nobody has emptied it', { inMaintenance: false }],
  ])('is not where %s', (_, changes) => {
    expect(nextHostStep(emptied(changes)).availability.state).toBe('Fenced');
  });

  it('is called off, and not on standby, when its maintenance is over', () => {
    const before = nextHostStep(emptied()).availability;
    const after = nextHostStep(emptied({ before, inMaintenance: false })).availability;
    expect(after).toMatchObject({ state: 'Fenced', reason: 'MaintenanceOver' });
    expect(nextHostStep(emptied({ before: after })).availability.state).toBe('Standby');
  });

  it('is not known to be off by its lease: that speaks of its VMs alone', () => {
    const { availability } = nextHostStep(emptied({ policy: BY_LEASE, power: NO_BMC, lease: LAPSED }));
    expect(availability.state).toBe('Fenced');
  });
});

describe('people are told', () => {
  const cutting = nextHostStep(silent(9)).availability;
  const failed = (before: HostAvailability, message: string) => afterFence(before, { ok: false, message }, NOW_MS);
  const again = (before: HostAvailability) => nextHostStep(silent(60, { before, nowMs: NOW_MS + 60_000 })).availability;

  it('that the power is cut, and why it could not be, and no more while the cause is the same', () => {
    const first = failed(cutting, 'wrong password');
    const second = failed(again(first), 'wrong password');
    const third = failed(again(second), 'no answer');
    expect([
      isNews(state('Dead'), cutting),
      isNews(cutting, first),
      isNews(first, again(first)),
      isNews(again(first), second),
      isNews(again(second), third),
    ]).toEqual([true, true, false, false, true]);
    expect(second.message).toContain('(attempt 2): wrong password');
  });

  it('of everything else that changes', () => {
    expect(isNews(undefined, state('Online'))).toBe(true);
    expect(isNews(cutting, state('Fenced', fence({ confirmedAt: at(1) })))).toBe(true);
    expect(isNews(state('Online'), state('Online', { reason: 'AgentCutOffFromAPI' }))).toBe(true);
    expect(isNews(state('Online'), state('Online', { message: 'other words' }))).toBe(false);
  });
});

describe('a fencing', () => {
  const begun = nextHostStep(silent(9)).availability;

  it('that is confirmed is a proof', () => {
    const after = afterFence(begun, { ok: true }, NOW_MS + 1000);
    expect(after).toMatchObject({ state: 'Fenced', fence: { bootID: 'boot-1', confirmedAt: at(1) } });
  });

  it('that failed says why, and is none', () => {
    const after = afterFence(begun, { ok: false, message: 'the BMC at 192.0.2.1 does not answer' }, NOW_MS + 1000);
    expect(after).toMatchObject({ state: 'Fencing', reason: 'FencingFailed' });
    expect(after.message).toContain('the BMC at 192.0.2.1 does not answer');
    expect(after.fence?.confirmedAt).toBeUndefined();
  });
});

describe('whatever is seen of a host', () => {
  const inputs = fc.record({
    heartbeat: fc.oneof(
      fc.record({ kind: fc.constant('Seen' as const), silentMs: fc.nat(200_000) }),
      fc.record({ kind: fc.constant('NeverSeen' as const), silentMs: fc.nat(200_000), oldMs: fc.nat(200_000) }),
    ),
    answer: fc.constantFrom('Agent' as const, 'NewAgent' as const, 'Host' as const, 'Nobody' as const, undefined),
    unanswered: fc.nat(4),
    power: fc.constantFrom(ON, OFF, NO_BMC, { kind: 'Failed' as const, message: 'x' }),
    isOver: fc.boolean(),
    lease: fc.constantFrom({ kind: 'None' as const }, RENEWED, RUNS_OUT, LAPSED, FOLLOWED, UNSEEN),
    policy: fc.constantFrom(policy(), BY_LEASE, BY_BOTH),
    saysLapsed: fc.boolean(),
    toRecover: fc.nat(2),
    cluster: fc.record({ hosts: fc.integer({ min: 1, max: 6 }), silent: fc.integer({ min: 1, max: 6 }) }),
    confirmed: fc.constantFrom('boot-0', 'boot-1', undefined),
    placed: fc.nat(1),
    unsettled: fc.nat(1),
    inMaintenance: fc.boolean(),
    before: fc.constantFrom(
      undefined,
      state('Online'),
      state('Suspect'),
      state('Dead'),
      state('Fencing', fence()),
      state('Fencing', { reason: 'FencingFailed', ...fence({ message: 'x' }) }),
      state('Fenced', fence({ confirmedAt: at(-1) })),
      state('Standby', fence({ confirmedAt: at(-1) })),
      state('Recovered'),
      state('Suspect', { reason: 'ConfirmationRefused', refusedConfirmation: 'boot-1' }),
      state('Fenced', { ...fence({ confirmedAt: at(-1), bootID: 'boot-0' }), bootID: 'boot-0' }),
    ),
  });

  it('one that gives a sign of life is never fenced, and no proof but its own word is found against it', () => {
    fc.assert(
      fc.property(inputs, (changes) => {
        const given = input(changes);
        const isAlive =
          given.answer === 'Agent' || (given.heartbeat.kind === 'Seen' && given.heartbeat.silentMs < 4_000);
        if (!isAlive || given.isOver) return;
        const { availability, fence: isFenced } = nextHostStep(given);
        expect(isFenced).toBe(false);
        if (given.answer === 'Agent') expect(availability.state).not.toBe('Fenced');
        // Off on purpose, or not: the proof is the one that there was.
        const isOff = availability.state === 'Fenced' || availability.state === 'Standby';
        if (isOff) expect(availability.fence).toEqual(given.before?.fence);
      }),
    );
  });

  it('a proof comes from a reading, a lapsed lease, the host itself, an administrator, or from before, and from nothing else', () => {
    fc.assert(
      fc.property(inputs, (changes) => {
        const given = input(changes);
        const { availability } = nextHostStep(given);
        const proof = availability.fence?.confirmedAt;
        if (proof === undefined || availability.fence === given.before?.fence) return;
        const isRead =
          given.power.kind === 'Read' && given.power.state === 'Off' && availability.fence?.method === 'BMC';
        const isConfirmed = given.confirmed === given.bootID && availability.fence?.method === 'Administrator';
        const isLapsed =
          (given.isOver || given.lease.kind === 'Lapsed' || given.lease.kind === 'Followed') &&
          availability.fence?.method === 'StorageLease';
        expect(isRead || isConfirmed || isLapsed).toBe(true);
        expect(availability.fence?.bootID).toBe(given.bootID);
      }),
    );
  });

  it('the power is cut only of one that has been silent for as long as the policy says, or whose fencing was under way', () => {
    fc.assert(
      fc.property(inputs, (changes) => {
        const given = input(changes);
        if (!nextHostStep(given).fence || given.before?.state === 'Fencing') return;
        expect(given.lease.kind).not.toBe('Alive');
        expect(given.heartbeat.silentMs).toBeGreaterThanOrEqual(8_000);
        expect(given.toRecover).toBeGreaterThan(0);
        expect(given.cluster.silent).toBeLessThanOrEqual(Math.max(1, Math.floor(given.cluster.hosts / 2)));
      }),
    );
  });

  it('it is looked at again before long', () => {
    fc.assert(
      fc.property(inputs, (changes) => {
        const { againMs, fence: isFenced } = nextHostStep(input(changes));
        if (!isFenced) expect(againMs).toBeGreaterThan(0);
        if (!isFenced) expect(againMs).toBeLessThanOrEqual(5_000);
      }),
    );
  });
});
