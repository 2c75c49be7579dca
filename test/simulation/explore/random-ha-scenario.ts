import { pick, type Random, seededRandom, wholeNumber } from '../engine/random.ts';
import type { ActionInput } from '../scenario/actions.ts';
import type { ScenarioInput } from '../scenario/scenario.ts';
import type { ClusterPlanInput } from '../world/plan.ts';
import {
  type Fault,
  inOrder,
  migration,
  type Names,
  onApi,
  onHost,
  randomCluster,
  randomNames,
  seconds,
  someKinds,
  type Timed,
  wrongClock,
} from './random-scenario.ts';

/** When the last fault ends, in seconds. Hosts that were fenced early have booted by then, and VMs were restarted. */
const HEAL_AT = 60;
/** When a host dies for good although all else is well, in seconds: hosts that were reset have come up by then. */
const LOSS_AT = HEAL_AT + 30;
/** How soon all of its VMs run elsewhere: what follows from the times of the policy, and room for a leader that has just begun. */
const RECOVERED_WITHIN = 60;
/** Without a loss: as long as BMCs that have failed are tried again, and hosts boot. */
const BOUND = 150;
/** Hosts that were fenced when all was healed already are switched on by somebody. */
const SWITCHED_ON_AT = [HEAL_AT + 20, HEAL_AT + 60];

/** A cluster with BMCs, hosts that die in many ways, BMCs that fail, and operators that are ended. */
export function randomHaScenario(seed: number): ScenarioInput {
  const random = seededRandom(seed);
  const names = randomNames(random, [3, 5], [2, 7]);
  const reserve = random() < 0.3;
  const cluster: ClusterPlanInput = {
    ...withDependencies(random, names, randomCluster(random, names)),
    ha: { restart: restartPolicy(random), ...responses(random) },
    ...(reserve && { admissionControl: { type: 'HostFailures', hostFailures: { count: 1 } } }),
  };
  const hosts = cluster.hosts.map((host) => (reserve ? { ...host, memory: '20Gi' } : host));
  return scenarioOf(random, names, { ...cluster, hosts }, HA_FAULTS, whileFencing);
}

/** The same without BMCs: a lease on storage, with a watchdog behind it, proves that a host is off. */
export function randomLeaseScenario(seed: number): ScenarioInput {
  const random = seededRandom(seed);
  const names = randomNames(random, [3, 5], [2, 7]);
  const cluster = withDependencies(random, names, randomCluster(random, names));
  const hasBMCs = random() < 0.2;
  const hosts = cluster.hosts.map((host) => ({ ...host, bmc: hasBMCs, watchdog: true }));
  const order = hasBMCs ? ['BMC', 'StorageLease'] : ['StorageLease'];
  return scenarioOf(
    random,
    names,
    { ...cluster, hosts, ha: { fencing: { order }, restart: restartPolicy(random), ...responses(random) } },
    LEASE_FAULTS,
    (...of) => pick(random, [whileFencing, betweenTerms])(...of),
  );
}

/** What no host can start for a while must not have been given up when that is over. */
function restartPolicy(random: Random) {
  return { maxAttempts: 20, timeoutSeconds: pick(random, [10, 30, 300]) };
}

/** Guests are judged soon, and as often as it takes; what a host has lost is waited for only for a moment. */
function responses(random: Random) {
  const action = pick(random, ['None', 'Reboot', 'Restart'] as const);
  return {
    vmFault: { action, heartbeatTimeoutSeconds: 5, ioQuietSeconds: 10, minUptimeSeconds: 10, maxResets: 100 },
    datastoreFault: { action: 'Restart' as const, allPathsDownSeconds: 10 },
    isolationResponse: pick(random, ['LeavePoweredOn', 'LeavePoweredOn', 'Shutdown', 'PowerOff'] as const),
  };
}

/** On any VM, also on itself by way of others. */
function withDependencies(random: Random, { vms }: Names, cluster: ClusterPlanInput): ClusterPlanInput {
  const dependency = () =>
    random() < 0.7 ? {} : { ha: { dependsOn: [{ name: pick(random, vms), timeoutSeconds: 30 }] } };
  return { ...cluster, vms: cluster.vms?.map((vm) => ({ ...vm, ...dependency() })) ?? [] };
}

function scenarioOf(
  random: Random,
  names: Names,
  cluster: ClusterPlanInput,
  kinds: readonly Fault[],
  pointedFault: (random: Random, names: Names) => Timed,
): ScenarioInput {
  const { hosts } = names;
  const moment = (): readonly [number, number] => {
    const at = seconds(10 + random() * (HEAL_AT - 30));
    return [at, seconds(Math.min(HEAL_AT - 1, at + 1 + random() * 50))];
  };
  const faults = Array.from({ length: wholeNumber(random, 2, 6) }, (_, index) => {
    const [at, until] = moment();
    return pick(random, kinds)(random, names, at, until, index);
  }).flat();
  const pointed = Array.from({ length: wholeNumber(random, 0, 2) }, () => pointedFault(random, names));
  const healed: Timed = { at: HEAL_AT, do: 'healAll' };
  // A host that has failed to start a VM is left alone for minutes.
  const failsStarts = faults.some((fault) => fault.do === 'refuseStarts' || fault.do === 'slowStarts');
  const isLost = random() < 0.4 && !failsStarts;
  // By the clock of one of them, a host that dies with the operator was silent for long before, as after a power cut: it is given two minutes.
  const hasWrongClocks = faults.some((fault) => fault.do === 'setClock');
  const switchedOn = SWITCHED_ON_AT.filter((at) => !isLost || at < LOSS_AT).flatMap((at) =>
    hosts.map((host): Timed => ({ at, do: 'powerOn', host })),
  );
  const loss: Timed[] = isLost
    ? [
        { at: LOSS_AT, do: pick(random, ['powerOff', 'pauseHost'] as const), host: pick(random, hosts) },
        ...(random() < 0.3 && !hasWrongClocks
          ? [{ at: LOSS_AT + random() * 10, do: 'killOperator', operator: 'operator-1' } as const]
          : []),
      ]
    : [];
  return {
    cluster,
    events: {
      runFor: isLost ? LOSS_AT + RECOVERED_WITHIN : HEAL_AT + BOUND,
      settledFrom: isLost ? LOSS_AT + 5 : HEAL_AT + 5,
      events: [...pointed, ...inOrder([...faults, healed, ...switchedOn, ...loss])],
    },
  };
}

/** A fault within a second of a moment in which a host is being fenced, or its VMs are being started. */
function whileFencing(random: Random, { hosts, operators }: Names): Timed {
  const when = pick(random, [
    'availability Fencing',
    'gets the order',
    'availability Fenced',
    'by proof',
    'StartFailed',
  ]);
  const [host, operator] = [pick(random, hosts), pick(random, operators)];
  const actions: ActionInput[] = [
    { do: 'killOperator', operator },
    { do: 'pauseOperator', operator },
    { do: 'powerOn', host },
    { do: 'powerOff', host },
    { do: 'killAgent', host },
    { do: 'resumeHost', host },
  ];
  return { when, after: wholeNumber(random, 0, 500) / 1000, ...pick(random, actions) };
}

/** The same when a term of a lease on storage ends, when the next begins, and when others act on it: words and writes of one land in the other. */
function betweenTerms(random: Random, { hosts, operators }: Names): Timed {
  const when = pick(random, [
    '(StorageLeaseLapsed)',
    'had lapsed, and the host serves again',
    '(AwaitsStorage)',
    'by proof',
  ]);
  const [host, operator] = [pick(random, hosts), pick(random, operators)];
  const actions: ActionInput[] = [
    { do: 'pauseAgent', host },
    { do: 'killAgent', host },
    { do: 'killLibvirtd', host },
    { do: 'killKeeper', host },
    { do: 'pauseHost', host },
    { do: 'cutApi', client: host },
    { do: 'slowApi', client: host, seconds: random() * 5 },
    { do: 'loseAnswers', client: host, share: random() },
    { do: 'staleCaches', client: host, seconds: random() * 15 },
    { do: 'staleCaches', client: operator, seconds: random() * 30, ...(random() < 0.5 && { kinds: ['hosts'] }) },
    { do: 'killOperator', operator },
  ];
  return { when, after: seconds(random() * 2), ...pick(random, actions) };
}

const cutOff: Fault = (random, { hosts }, at, until) => {
  const host = pick(random, hosts);
  return [
    { at, do: 'isolate', host },
    { at, do: 'cutApi', client: host },
    { at: until, do: 'rejoin', host },
    { at: until, do: 'healApi', client: host },
  ];
};

const bmcFault: Fault = (random, { hosts }, at, until) => {
  const host = pick(random, hosts);
  const faults = [{ unreachable: true }, { wrongPassword: true }, { ignoresOrders: true }, { delayMs: 4_000 }];
  return [
    { at: Math.max(1, at - 10), do: 'bmc', host, ...pick(random, faults) },
    { at: until, do: 'bmc', host },
  ];
};

/** The operator and a host, or its BMC, do not reach each other; both reach the API server. */
const cutFromOperator: Fault = (random, { hosts, operators }, at, until) => {
  const host = pick(random, hosts);
  const other = pick(random, [host, `bmc-of-${host}`]);
  return [
    { at, do: 'cutNetwork', between: [pick(random, operators), other] },
    { at: until, do: 'rejoin', host },
  ];
};

/** Two of them die at the same moment: too many to be believed, where there are but three. */
const twoAtOnce: Fault = (random, { hosts }, at, until) => {
  const [one, other] = [pick(random, hosts), pick(random, hosts)];
  return [one, other].flatMap((host): Timed[] => [
    { at, do: 'powerOff', host },
    { at: until, do: 'powerOn', host },
  ]);
};

/** No leader stays for long. */
const churn: Fault = (random, { operators }, at) =>
  [0, 17, 34].map((later) => ({
    at: seconds(Math.min(HEAL_AT - 1, at + later)),
    do: 'killOperator',
    operator: pick(random, operators),
  }));

/** On one host or on all; QEMU may hang in it. */
const lostDatastore: Fault = (random, { hosts }, at, until) => {
  const affected = random() < 0.2 ? hosts : [pick(random, hosts)];
  const reason = pick(random, ['PermanentlyLost', 'AllPathsDown'] as const);
  const holdsQemu = random() < 0.3;
  return affected.flatMap((host): Timed[] => [
    { at: seconds(at + random()), do: 'loseDatastore', datastore: 'shared', host, reason, holdsQemu },
    { at: seconds(until + random()), do: 'bringDatastoreBack', datastore: 'shared', host },
  ]);
};

/** Its kernel or its watchdog says so, or its tools fall silent. */
const guestFails: Fault = (random, { vms }, at) => {
  const vm = pick(random, vms);
  const how = pick(random, ['guestPanics', 'guestWatchdogExpires', 'guestHangs', 'guestToolsHang'] as const);
  return [
    { at: at - 1, do: 'guestToolsConnect', vm },
    { at, do: how, vm },
  ];
};

/** What every cluster with high availability meets; no lies, which nothing helps against. */
const COMMON: readonly Fault[] = [
  onHost('powerOff', 'powerOn'),
  onHost('powerOff', 'powerOn'),
  onHost('pauseHost', 'resumeHost'),
  onHost('pauseHost', 'resumeHost'),
  onHost('pauseAgent', 'resumeAgent'),
  onHost('removeAgent', 'installAgent'),
  cutOff,
  cutOff,
  cutFromOperator,
  twoAtOnce,
  churn,
  (random, { hosts }, at) => [{ at, do: 'reset', host: pick(random, hosts) }],
  (random, { operators }, at) => [{ at, do: 'killOperator', operator: pick(random, operators) }],
  (random, names, at, until) =>
    onApi(random, names, at, until, { do: 'staleCaches', seconds: random() * 15, ...someKinds(random) }),
  (random, names, at, until) => onApi(random, names, at, until, { do: 'loseAnswers', share: random() }),
  (random, names, at, until) => onApi(random, names, at, until, { do: 'slowApi', seconds: random() }),
  wrongClock,
  wrongClock,
  migration,
  guestFails,
  guestFails,
  lostDatastore,
  (random, { hosts }, at, until) => {
    const host = pick(random, hosts);
    const fault: ActionInput =
      random() < 0.5 ? { do: 'refuseStarts', host } : { do: 'slowStarts', host, seconds: wholeNumber(random, 5, 60) };
    return [
      { at, ...fault },
      { at: until, do: 'mendStarts', host },
    ];
  },
];

const HA_FAULTS: readonly Fault[] = [...COMMON, lostDatastore, bmcFault, bmcFault, bmcFault];

/** A host that has lost its storage for long enough serves again in the next term of its boot. Most losses last about as long as a lease does. */
const storageFault: Fault = (random, { hosts }, at, latest) => {
  const host = pick(random, hosts);
  const until = random() < 0.7 ? seconds(Math.min(HEAL_AT - 1, at + 12 + random() * 8)) : latest;
  const how: ActionInput =
    random() < 0.5
      ? { do: 'loseDatastore', datastore: 'shared', host }
      : { do: 'slowDatastore', datastore: 'shared', host, seconds: random() * 20 };
  return [
    { at, ...how },
    { at: until, do: 'slowDatastore', datastore: 'shared', host, seconds: 0 },
    { at: until, do: 'bringDatastoreBack', datastore: 'shared', host },
  ];
};

const keeperFault: Fault = (random, { hosts }, at, until) => {
  const host = pick(random, hosts);
  return random() < 0.5
    ? [{ at, do: 'killKeeper', host }]
    : [
        { at, do: 'pauseKeeper', host },
        { at: seconds(Math.min(until, at + 6)), do: 'resumeKeeper', host },
      ];
};

const LEASE_FAULTS: readonly Fault[] = [...COMMON, cutOff, storageFault, storageFault, keeperFault, keeperFault];
