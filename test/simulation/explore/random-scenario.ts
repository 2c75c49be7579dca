import { pick, type Random, seededRandom, wholeNumber } from '../engine/random.ts';
import type { ActionInput } from '../scenario/actions.ts';
import type { Moment, ScenarioInput } from '../scenario/scenario.ts';
import type { ClusterPlanInput } from '../world/plan.ts';

/** When the last fault ends, in seconds: from then on everything has to become as it should be. */
const HEAL_AT = 40;
/** How long that may take. Backoffs grow to a minute; a guest that is deaf costs its grace. */
const BOUND = 150;
const FIRST_FAULT_AT = 2;
const LOCKED = 0.5;

export type Timed = ActionInput & Moment;

export interface Names {
  readonly hosts: readonly string[];
  readonly vms: readonly string[];
  readonly operators: readonly string[];
}

/** A cluster of a few hosts and a minute of what may happen to it; the same for the same seed. */
export function randomScenario(seed: number): ScenarioInput {
  const random = seededRandom(seed);
  const names = randomNames(random, [2, 4], [2, 5]);
  const { hosts, vms } = names;
  const faults = withoutTornAndDeleted(
    Array.from({ length: wholeNumber(random, 3, 10) }, (_, index) => oneFault(random, names, index)).flat(),
  );
  const pointed = Array.from({ length: wholeNumber(random, 0, 3) }, () => pointedFault(random, names));
  const healed: Timed = { at: HEAL_AT, do: 'healAll' };
  // Whoever was to be empty takes VMs again.
  const usable = hosts.map(
    (name): Timed => ({ at: HEAL_AT, do: 'edit', kind: 'Host', name, patch: { spec: { maintenance: 'Disabled' } } }),
  );
  const wanted = vms.map(
    (name): Timed => ({
      at: HEAL_AT,
      do: 'edit',
      kind: 'VirtualMachine',
      name,
      patch: { spec: { runStrategy: 'Always' } },
    }),
  );
  return {
    cluster: randomCluster(random, names),
    events: {
      runFor: HEAL_AT + BOUND,
      settledFrom: HEAL_AT + 5,
      events: [...pointed, ...inOrder(faults), healed, ...usable, ...wanted],
    },
  };
}

/** Who tears an instance away and deletes its VM has a domain that nobody knows of any more, and has asked for its data to be deleted. */
function withoutTornAndDeleted(faults: readonly Timed[]): Timed[] {
  const deleted = faults.flatMap((fault) =>
    fault.do === 'delete' && fault.kind === 'VirtualMachine' ? [fault.name] : [],
  );
  return faults.filter((fault) => fault.do !== 'tearInstanceAway' || !deleted.includes(fault.vm));
}

/** Faults in the order of their time: those at the same one in the order of their making. */
export function inOrder(faults: readonly Timed[]): Timed[] {
  return faults.toSorted((a, b) => timeOf(a) - timeOf(b));
}

/** Few of each: a fault that needs more of them is hardly ever met, and small worlds are played in great numbers. */
export function randomNames(random: Random, hosts: readonly [number, number], vms: readonly [number, number]): Names {
  const named = (what: string, from: number, to: number) =>
    Array.from({ length: wholeNumber(random, from, to) }, (_, index) => `${what}-${index + 1}`);
  return { hosts: named('host', ...hosts), vms: named('vm', ...vms), operators: named('operator', 1, 2) };
}

export function randomCluster(random: Random, names: Names): ClusterPlanInput {
  const { hosts, vms, operators } = names;
  const groups = random() < 0.4 ? [ruleGroup(random, names)] : [];
  return {
    operators: operators.length,
    hosts: hosts.map((name) => ({ name, ...(random() < 0.1 && { foreignDomains: ['legacy'] }) })),
    datastores: [{ name: 'shared', shared: true, locks: random() < LOCKED }],
    vms: vms.map((name) => ({ name, memory: pick(random, ['1Gi', '2Gi', '4Gi']), disk: random() < 0.7 })),
    objects: groups,
  };
}

function ruleGroup(random: Random, { vms, hosts }: Names) {
  const type = pick(random, ['KeepTogether', 'Separate', 'VMsToHosts']);
  const virtualMachines = { names: vms.slice(0, 2) };
  const enforcement = pick(random, ['Required', 'Preferred']);
  const spec =
    type === 'VMsToHosts'
      ? { type, virtualMachines, relation: 'MustNotRunOn', hosts: { names: hosts.slice(0, 1) } }
      : { type, virtualMachines, enforcement };
  return { kind: 'RuleGroup', metadata: { name: 'rules' }, spec };
}

export type Fault = (random: Random, names: Names, at: number, until: number, number: number) => Timed[];

export const onHost =
  (
    begin: 'powerOff' | 'pauseHost' | 'pauseAgent' | 'removeAgent' | 'isolate',
    end: 'powerOn' | 'resumeHost' | 'resumeAgent' | 'installAgent' | 'rejoin',
  ): Fault =>
  (random, { hosts }, at, until) => {
    const host = pick(random, hosts);
    return [
      { at, do: begin, host },
      { at: until, do: end, host },
    ];
  };

export const onApi = (
  random: Random,
  { hosts, operators }: Names,
  at: number,
  until: number,
  fault: ActionInput,
): Timed[] => {
  const client = random() < 0.2 ? undefined : pick(random, [...hosts, ...operators, ...operators]);
  const who = client === undefined ? {} : { client };
  return [
    { at, ...fault, ...who },
    { at: until, do: 'healApi', ...who },
  ];
};

/** A little, for an hour, or for a day: set at once, as a time server does that is wrong or has just been found. */
export const wrongClock: Fault = (random, { hosts, operators }, at) => {
  const ahead = pick(random, [2, 40, 3_600, 86_400]) * (random() < 0.5 ? -1 : 1);
  return [{ at, do: 'setClock', machine: pick(random, [...hosts, ...operators]), aheadSeconds: ahead }];
};

/** Listed twice: twice as often. */
const FAULTS: readonly Fault[] = [
  onHost('powerOff', 'powerOn'),
  onHost('pauseHost', 'resumeHost'),
  onHost('pauseAgent', 'resumeAgent'),
  onHost('removeAgent', 'installAgent'),
  onHost('isolate', 'rejoin'),
  (random, { hosts }, at) => [{ at, do: 'reset', host: pick(random, hosts) }],
  (random, { hosts }, at) => [{ at, do: 'killAgent', host: pick(random, hosts) }],
  (random, { hosts }, at) => [{ at, do: 'killAgent', host: pick(random, hosts) }],
  (random, { hosts }, at) => [{ at, do: 'killLibvirtd', host: pick(random, hosts) }],
  (random, { operators }, at) => [{ at, do: 'killOperator', operator: pick(random, operators) }],
  (random, { operators }, at) => [{ at, do: 'killOperator', operator: pick(random, operators) }],
  (random, { operators }, at, until) => {
    const operator = pick(random, operators);
    return [
      { at, do: 'pauseOperator', operator },
      { at: until, do: 'resumeOperator', operator },
    ];
  },
  (random, names, at, until) =>
    onApi(random, names, at, until, { do: 'cutApi', how: pick(random, ['Refused', 'Dropped'] as const) }),
  (random, names, at, until) => onApi(random, names, at, until, { do: 'slowApi', seconds: random() * 3 }),
  (random, names, at, until) =>
    onApi(random, names, at, until, { do: 'staleCaches', seconds: random() * 15, ...someKinds(random) }),
  (random, names, at, until) =>
    onApi(random, names, at, until, { do: 'staleCaches', seconds: random() * 15, ...someKinds(random) }),
  (random, names, at, until) => onApi(random, names, at, until, { do: 'loseAnswers', share: random() }),
  (random, names, at, until) => onApi(random, names, at, until, { do: 'failWrites', share: random() }),
  (_random, _names, at) => [{ at, do: 'compact' }],
  (random, { hosts }, at) => [{ at, do: 'cutNetwork', between: [pick(random, hosts), pick(random, hosts)] }],
  (random, { hosts }, at, until) => {
    const host = pick(random, hosts);
    return [
      { at, do: 'loseDatastore', datastore: 'shared', host },
      { at: until, do: 'bringDatastoreBack', datastore: 'shared', host },
    ];
  },
  (random, { vms }, at) => [
    {
      at,
      do: pick(random, ['guestShutsDown', 'guestCrashes', 'guestIgnoresPowerButton'] as const),
      vm: pick(random, vms),
    },
  ],
  wrongClock,
  ...Array.from({ length: 4 }, (): Fault => migration),
  (random, { hosts }, at) => [
    { at, do: 'edit', kind: 'Host', name: pick(random, hosts), patch: { spec: { maintenance: 'Evacuate' } } },
  ],
  (random, { vms }, at, until) => {
    const name = pick(random, vms);
    const power = (runStrategy: string) => ({ spec: { runStrategy } });
    return [
      { at, do: 'edit', kind: 'VirtualMachine', name, patch: power('Halted') },
      { at: until, do: 'edit', kind: 'VirtualMachine', name, patch: power('Always') },
    ];
  },
  (random, { vms }, at) => [{ at, do: 'delete', kind: 'VirtualMachine', name: pick(random, vms) }],
  (random, { vms }, at, until) => {
    const name = pick(random, vms);
    return [
      { at, do: 'delete', kind: 'VirtualMachine', name },
      { at: until, do: 'createVM', vm: { name } },
    ];
  },
  (random, { vms }, at) => [{ at, do: 'delete', kind: 'VirtualMachineInstance', name: pick(random, vms) }],
  (random, { vms }, at) => [{ at, do: 'tearInstanceAway', vm: pick(random, vms) }],
  (_random, _names, at, _until, number) => [{ at, do: 'createVM', vm: { name: `late-${number}` } }],
];

export function migration(random: Random, { vms }: Names, at: number, until: number, number: number): Timed[] {
  const name = `move-${number}`;
  const object = { kind: 'Migration', metadata: { name }, spec: { virtualMachineName: pick(random, vms) } };
  const cancelled: Timed[] = random() < 0.2 ? [{ at: until, do: 'delete', kind: 'Migration', name }] : [];
  return [{ at, do: 'create', object }, ...cancelled];
}

export function someKinds(random: Random): { kinds?: string[] } {
  if (random() < 0.5) return {};
  return { kinds: [pick(random, ['virtualmachines', 'virtualmachineinstances', 'hosts', 'migrations', 'volumes'])] };
}

/** Moments in which something is half done: what the log says then. */
const DELICATE = [
  'is handed over',
  'is handed over',
  'goes on here',
  'receives',
  'migration Prepare',
  'migration Migrate',
  'migration is Moved',
  'epoch 2',
  'wanted Off',
  'wanted Running',
  'phase Off',
  'started',
  'stopped (destroyed)',
  'is deleted',
  'leads',
] as const;

/** A fault within milliseconds of such a moment; it lasts until all are ended. */
function pointedFault(random: Random, { hosts, operators }: Names): Timed {
  const when = pick(random, DELICATE);
  const after = wholeNumber(random, 0, 40) / 1000;
  const [host, other, operator] = [pick(random, hosts), pick(random, hosts), pick(random, operators)];
  const actions: ActionInput[] = [
    { do: 'killAgent', host },
    { do: 'killLibvirtd', host },
    { do: 'powerOff', host },
    { do: 'reset', host },
    { do: 'isolate', host },
    { do: 'isolate', host },
    { do: 'cutNetwork', between: [host, other] },
    { do: 'cutApi', client: host },
    { do: 'cutApi', client: operator },
    { do: 'killOperator', operator },
    { do: 'pauseHost', host },
    { do: 'pauseAgent', host },
  ];
  return { when, after, ...pick(random, actions) };
}

function timeOf({ at = 0 }: Timed): number {
  return at;
}

function oneFault(random: Random, names: Names, number: number): Timed[] {
  const at = seconds(FIRST_FAULT_AT + random() * (HEAL_AT - FIRST_FAULT_AT - 10));
  const until = seconds(Math.min(HEAL_AT - 1, at + 0.2 + random() ** 2 * 60));
  return pick(random, FAULTS)(random, names, at, until, number);
}

export function seconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}
