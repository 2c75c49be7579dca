import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GuestFault, InstanceVMFault } from '../../../../src/api/virtual-machine-instance.ts';
import { type GuestVerdict, guestFaultAfter, judgeGuest } from '../../../../src/core/instance/guest-fault.ts';
import { eventOf, instanceStatus, nextStep, type Situation, type Step } from '../../../../src/core/instance/index.ts';
import { ago, domain, NOW, NOW_MS, type SituationChanges, situation } from '../../../builders/situation.ts';

const panicked = { running: false, pausedBy: 'Panic' } as const;
const barked = { running: false, pausedBy: 'Watchdog' } as const;

function policy(changes: Partial<InstanceVMFault> = {}): InstanceVMFault {
  return {
    action: 'Reboot',
    heartbeatTimeoutSeconds: 30,
    ioQuietSeconds: 120,
    minUptimeSeconds: 120,
    maxResets: 3,
    windowSeconds: 3600,
    ...changes,
  };
}

function fault(changes: Partial<GuestFault> = {}): GuestFault {
  return { reason: 'GuestPanicked', at: ago(600), epoch: 1, action: 'Reboot', actedAt: [ago(600)], ...changes };
}

const silent = (silentSeconds: number, quietSeconds: number) => ({
  silence: { since: ago(silentSeconds), silentForMs: silentSeconds * 1000, quietForMs: quietSeconds * 1000 },
});
const hung = domain({ guestTools: { connected: true, addresses: [] }, ...silent(30, 120) });
const told = (guestFault: GuestFault) => ({ status: { conditions: [], guestFault } });
const migration: Situation['instance']['spec']['migration'] = {
  uid: 'm-1',
  name: 'm',
  targetHost: 'host-b',
  order: 'Prepare',
  targetAddress: '192.0.2.2',
  transport: 'TLS',
  maxDowntimeMilliseconds: 300,
  autoConverge: true,
  postCopy: false,
  progressTimeoutSeconds: 150,
  completionTimeoutSeconds: 300,
};

type Row = [rule: string, when: SituationChanges, verdict: GuestVerdict['verdict'], more?: Partial<GuestVerdict>];

const certain: Row[] = [
  ['leaves a guest that runs', { spec: { vmFault: policy() }, domain: domain() }, 'Well'],
  ['leaves a VM that has no domain', { spec: { vmFault: policy() } }, 'Well'],
  [
    'counts a panic against the policy',
    { spec: { vmFault: policy() }, domain: domain({ state: panicked }) },
    'Reboot',
    { counted: true },
  ],
  [
    'counts an expired watchdog',
    { spec: { vmFault: policy() }, domain: domain({ state: barked }) },
    'Reboot',
    { counted: true },
  ],
  ['takes a panic for a crash without a policy', { domain: domain({ state: panicked }) }, 'Reboot', { counted: false }],
  ['lets a watchdog do its work without a policy', { domain: domain({ state: barked }) }, 'Reboot', { counted: false }],
  [
    'leaves a watchdog to a VM that is to be paused',
    { spec: { vmFault: policy(), powerState: 'Paused' }, domain: domain({ state: barked }) },
    'Well',
  ],
  [
    'believes a panic right after the start',
    { spec: { vmFault: policy() }, domain: domain({ state: panicked, startedAt: ago(1) }) },
    'Reboot',
  ],
  [
    'believes a panic while the VM is about to be moved',
    { spec: { vmFault: policy(), migration }, domain: domain({ state: panicked }) },
    'Reboot',
  ],
  [
    'asks for another host',
    { spec: { vmFault: policy({ action: 'Restart' }) }, domain: domain({ state: panicked }) },
    'Restart',
  ],
];

const guesses: Row[] = [
  [
    'takes a silent and quiet guest for hung',
    { spec: { vmFault: policy() }, domain: hung },
    'Reboot',
    { counted: true },
  ],
  ['does so only where a policy says how long', { domain: hung }, 'Well'],
  ['waits for the timeout', { spec: { vmFault: policy() }, domain: domain(silent(29.9, 500)) }, 'Well'],
  [
    'waits while it reads, writes or sends',
    { spec: { vmFault: policy() }, domain: domain(silent(1000, 119.9)) },
    'Suppressed',
    { by: 'RecentIO' },
  ],
  [
    'does not look at I/O where the policy says so',
    { spec: { vmFault: policy({ ioQuietSeconds: 0 }) }, domain: domain(silent(30, 0)) },
    'Reboot',
  ],
  [
    'waits after a start',
    { spec: { vmFault: policy() }, domain: domain({ ...silent(100, 120), startedAt: ago(119.9) }) },
    'Suppressed',
    { by: 'MinUptime' },
  ],
  [
    'waits after a reset',
    { spec: { vmFault: policy() }, domain: hung, ...told(fault({ actedAt: [ago(119.9)] })) },
    'Suppressed',
    { by: 'MinUptime' },
  ],
  [
    'waits while a clock that was set back makes its start lie ahead',
    { spec: { vmFault: policy() }, domain: domain({ ...silent(30, 120), startedAt: ago(-1000) }) },
    'Suppressed',
    { by: 'MinUptime' },
  ],
  [
    'waits while the VM is being moved',
    { spec: { vmFault: policy(), migration }, domain: hung },
    'Suppressed',
    { by: 'Migration' },
  ],
  [
    'does not judge one that is paused',
    {
      spec: { vmFault: policy() },
      domain: domain({ ...silent(500, 500), state: { running: false, pausedBy: 'IOError' } }),
    },
    'Well',
  ],
];

const thrice = [ago(3000), ago(2000), ago(1000)];
const counted: Row[] = [
  [
    'acts a last time',
    { spec: { vmFault: policy() }, domain: domain({ state: panicked }), ...told(fault({ actedAt: thrice.slice(1) })) },
    'Reboot',
  ],
  [
    'gives up after that, until the oldest is out of the window',
    { spec: { vmFault: policy() }, domain: domain({ state: panicked }), ...told(fault({ actedAt: thrice })) },
    'GivenUp',
    { resets: 3, untilMs: NOW_MS + 600_000 },
  ],
  [
    'gives up on moving it as well',
    {
      spec: { vmFault: policy({ action: 'Restart' }), epoch: 4 },
      domain: domain({ state: panicked, epoch: 4 }),
      ...told(fault({ actedAt: thrice })),
    },
    'GivenUp',
  ],
  [
    'waits for as many to leave the window as it takes',
    {
      spec: { vmFault: policy({ maxResets: 2 }) },
      domain: domain({ state: panicked }),
      ...told(fault({ actedAt: thrice })),
    },
    'GivenUp',
    { untilMs: NOW_MS + 1_600_000 },
  ],
  [
    'forgets what is out of the window',
    {
      spec: { vmFault: policy() },
      domain: domain({ state: panicked }),
      ...told(fault({ actedAt: [ago(3600), ago(2000), ago(1000)] })),
    },
    'Reboot',
  ],
  [
    'counts what was done on hosts before',
    { spec: { vmFault: policy({ actedAt: thrice }) }, domain: domain({ state: panicked }) },
    'GivenUp',
  ],
  [
    'does what was counted already and came to nothing',
    {
      spec: { vmFault: policy() },
      domain: domain({ state: panicked }),
      isResetOwed: true,
      ...told(fault({ actedAt: thrice })),
    },
    'Reboot',
  ],
  [
    'goes on to ask for another host, although that was counted',
    {
      spec: { vmFault: policy({ action: 'Restart', maxResets: 1 }) },
      domain: domain({ state: panicked }),
      ...told(fault({ action: 'Restart' })),
    },
    'Restart',
  ],
];

describe('a guest', () => {
  it.each([...certain, ...guesses, ...counted])('%s', (_, when, verdict, more = {}) => {
    expect(judgeGuest(situation(when))).toMatchObject({ verdict, ...more });
  });
});

describe('what is done', () => {
  const stepOf = (when: SituationChanges): Step => nextStep(situation({ spec: { vmFault: policy() }, ...when }));

  it('ends a domain that has panicked, and resets any other where it is', () => {
    expect(stepOf({ domain: domain({ state: panicked }) })).toMatchObject({ step: 'EndCrashed' });
    expect(stepOf({ domain: domain({ state: barked }) })).toMatchObject({ step: 'Reset' });
    expect(stepOf({ domain: hung })).toMatchObject({ step: 'Reset' });
  });

  it('comes after what is wanted of the VM: off, and restarted', () => {
    expect(stepOf({ spec: { powerState: 'Off', vmFault: policy() }, domain: hung })).toMatchObject({
      step: 'Shutdown',
    });
    expect(stepOf({ spec: { powerState: 'Off' }, domain: domain({ state: panicked }) })).toMatchObject({
      step: 'Destroy',
    });
    expect(stepOf({ spec: { restartedAt: 'now' }, domain: domain({ state: panicked }) })).toMatchObject({
      step: 'Destroy',
    });
  });

  it('is told as an event, once for each', () => {
    const told = (when: SituationChanges) => {
      const given = situation({ spec: { vmFault: policy() }, ...when });
      return eventOf(given, nextStep(given));
    };
    expect(told({ domain: domain({ state: panicked }) })).toMatchObject({ type: 'Warning', reason: 'GuestPanicked' });
    expect(told({ domain: hung })).toMatchObject({ reason: 'GuestHeartbeatLost', action: 'Resetting' });
    const givenUp = {
      domain: domain({ state: barked }),
      status: { conditions: [], guestFault: fault({ actedAt: thrice }) },
    };
    expect(told(givenUp)).toMatchObject({ reason: 'GuestResetsExhausted' });
  });
});

describe('the status', () => {
  const statusOf = (when: SituationChanges) => {
    const given = situation({ spec: { vmFault: policy() }, ...when });
    return instanceStatus(given, nextStep(given) as Parameters<typeof instanceStatus>[1]);
  };

  it('says before a reset that it is made', () => {
    expect(statusOf({ domain: hung, ...told(fault()) })).toMatchObject({
      phase: 'Running',
      reason: 'GuestHeartbeatLost',
      guestFault: { reason: 'GuestHeartbeatLost', at: NOW, epoch: 1, action: 'Reboot', actedAt: [ago(600), NOW] },
    });
  });

  it('says that nothing is done any more, from when on again, and what to do', () => {
    const status = statusOf({ domain: domain({ state: panicked }), ...told(fault({ actedAt: thrice })) });
    expect(status).toMatchObject({
      phase: 'Failed',
      ready: { status: 'False', reason: 'GuestPanicked', message: expect.stringContaining('2026-03-01T12:10:00.000Z') },
      guestFault: { action: 'None', actedAt: thrice },
    });
  });

  it('of a guest that hangs is not Ready, although its domain runs', () => {
    const status = statusOf({ domain: hung, ...told(fault({ actedAt: thrice })) });
    expect(status).toMatchObject({ phase: 'Running', ready: { status: 'False', reason: 'GuestHeartbeatLost' } });
  });

  it('tells of silence only when it is longer than the policy allows', () => {
    expect(statusOf({ domain: domain(silent(29, 0)) }).guestTools).not.toHaveProperty('silentSince');
    expect(statusOf({ domain: domain(silent(31, 0)) })).toMatchObject({
      guestTools: { silentSince: ago(31), suppressedBy: 'RecentIO' },
      ready: { status: 'True' },
    });
  });

  it('of a VM that is to run elsewhere says so until it is off, and takes it back when its guest is well', () => {
    const asked = fault({ action: 'Restart', at: ago(1), actedAt: [ago(1)] });
    const vmFault = policy({ action: 'Restart' });
    const still = statusOf({ spec: { vmFault }, domain: hung, ...told(asked) });
    expect(still.guestFault).toEqual(asked);
    const ending = statusOf({ spec: { vmFault, powerState: 'Off' }, ...told(asked) });
    expect(ending).toMatchObject({ phase: 'Off', guestFault: asked });
    const well = statusOf({ spec: { vmFault }, domain: domain(), ...told(asked) });
    expect(well.guestFault).toEqual({ ...asked, action: 'None' });
    const elsewhere = statusOf({ spec: { vmFault, epoch: 2 }, domain: domain({ epoch: 2 }), ...told(asked) });
    expect(elsewhere.guestFault).toEqual(asked);
  });

  it('keeps the last fault of a guest that is well', () => {
    expect(statusOf({ domain: domain(), ...told(fault()) }).guestFault).toEqual(fault());
  });
});

const anyFault = fc.record({
  reason: fc.constantFrom('GuestPanicked', 'GuestWatchdogExpired', 'GuestHeartbeatLost'),
  at: fc.integer({ min: -100, max: 5000 }).map(ago),
  epoch: fc.integer({ min: 1, max: 2 }),
  action: fc.constantFrom('None', 'Reboot', 'Restart'),
  actedAt: fc.array(fc.integer({ min: -100, max: 5000 }).map(ago), { maxLength: 6 }),
}) satisfies fc.Arbitrary<GuestFault>;

const anyGuest = fc
  .record({
    powerState: fc.constantFrom('Running', 'Paused', 'Off'),
    vmFault: fc.option(
      fc.record({
        action: fc.constantFrom('Reboot', 'Restart'),
        heartbeatTimeoutSeconds: fc.constantFrom(5, 30),
        ioQuietSeconds: fc.constantFrom(0, 120),
        minUptimeSeconds: fc.constantFrom(0, 120),
        maxResets: fc.integer({ min: 1, max: 5 }),
        windowSeconds: fc.constantFrom(60, 3600),
      }),
      { nil: undefined },
    ),
    epoch: fc.integer({ min: 1, max: 2 }),
    state: fc.constantFrom({ running: true } as const, panicked, barked, {
      running: false,
      pausedBy: 'IOError',
    } as const),
    startedAt: fc.integer({ min: -100, max: 5000 }).map(ago),
    seconds: fc.option(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 })), {
      nil: undefined,
    }),
    isMigrating: fc.boolean(),
    guestFault: fc.option(anyFault, { nil: undefined }),
    isResetOwed: fc.boolean(),
  })
  .map(({ powerState, vmFault, epoch, state, startedAt, seconds, isMigrating, guestFault, isResetOwed }) =>
    situation({
      spec: { powerState, epoch, ...(vmFault && { vmFault }), ...(isMigrating && { migration }) },
      domain: domain({ epoch, state, startedAt, ...(seconds && silent(...seconds)) }),
      ...(guestFault && told(guestFault)),
      ...(isResetOwed && { isResetOwed }),
    }),
  );

const actedOf = ({ instance }: Situation) => instance.status?.guestFault?.actedAt ?? [];
const within = (given: Situation) =>
  actedOf(given).filter(
    (at) => Math.abs(NOW_MS - Date.parse(at)) < (given.instance.spec.vmFault?.windowSeconds ?? 0) * 1000,
  );

describe('whatever the guest', () => {
  const property = (check: (given: Situation, verdict: GuestVerdict) => void): void => {
    fc.assert(
      fc.property(anyGuest, (given) => check(given, judgeGuest(given))),
      { numRuns: 5000 },
    );
  };

  it('a policy never resets it more often than it allows', () => {
    property((given, verdict) => {
      const { vmFault } = given.instance.spec;
      if (verdict.verdict !== 'Reboot' || !verdict.counted || given.isResetOwed) return;
      expect(within(given).length).toBeLessThan(vmFault?.maxResets ?? 0);
    });
  });

  it('each reset is counted before it is made, once', () => {
    property((given, verdict) => {
      if (verdict.verdict !== 'Reboot' || !verdict.counted) return;
      const after = guestFaultAfter(given, { fault: verdict.fault, action: 'Reboot' });
      const isKept = given.isResetOwed && after === given.instance.status?.guestFault;
      if (!isKept) expect(after?.actedAt.toSorted()).toEqual([...within(given), NOW].toSorted());
    });
  });

  it('a running one is never touched while anything speaks for it', () => {
    property((given, verdict) => {
      if (!given.domain?.state.running || verdict.verdict === 'Well' || verdict.verdict === 'Suppressed') return;
      const { spec } = given.instance;
      expect(spec.migration).toBeUndefined();
      expect(given.domain.silence?.silentForMs).toBeGreaterThanOrEqual(
        (spec.vmFault?.heartbeatTimeoutSeconds ?? 0) * 1000,
      );
      expect(given.domain.silence?.quietForMs).toBeGreaterThanOrEqual((spec.vmFault?.ioQuietSeconds ?? 0) * 1000);
      expect(NOW_MS - Date.parse(given.domain.startedAt)).toBeGreaterThanOrEqual(
        (spec.vmFault?.minUptimeSeconds ?? 0) * 1000,
      );
    });
  });

  it('one that stands still is not left so without a word', () => {
    property((given, verdict) => {
      const { state } = given.domain ?? {};
      if (state === undefined || state.running || state.pausedBy === 'IOError') return;
      const isWanted = state.pausedBy === 'Watchdog' && given.instance.spec.powerState === 'Paused';
      expect(verdict.verdict === 'Well').toBe(isWanted);
    });
  });

  it('what is written once stays the same as long as nothing else happens', () => {
    property((given, { verdict }) => {
      const step = nextStep(given);
      if (step.step !== 'GuestFailed') return;
      expect(['Restart', 'GivenUp']).toContain(verdict);
      const once = instanceStatus(given, step);
      const seen = {
        ...given.instance.status,
        conditions: [],
        ...(once.guestFault && { guestFault: once.guestFault }),
      };
      const later = { ...given, instance: { ...given.instance, status: seen }, nowMs: given.nowMs + 1 };
      const again = nextStep(later);
      if (again.step === 'GuestFailed' && again.action === step.action)
        expect(instanceStatus(later, again).guestFault).toEqual(once.guestFault);
    });
  });
});
