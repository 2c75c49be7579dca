import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { heldForFailover } from '../../core/ha/admission.ts';
import { explainPlacement, summarizeRefusal } from '../../core/placement/explain.ts';
import type { ConditionInput } from '../../runtime/index.ts';
import { agentStatus, type Phase, phaseOf, type StatusInput } from './phase.ts';

/** What is said of a VM, condition by condition. */
export function conditionsOf(input: StatusInput): ConditionInput[] {
  return [
    ready(input),
    running(input),
    scheduled(input),
    guestToolsConnected(input),
    restartRequired(input),
    migratable(input),
    rulesSatisfied(input),
    haProtected(input),
    ...dependenciesReady(input),
    storageReachable(input),
  ];
}

/** Said of a VM that waits to run elsewhere, instead of what its last host said. */
function recovering({ recovery }: StatusInput): Pick<ConditionInput, 'status' | 'reason' | 'message'> | undefined {
  if (recovery === undefined || recovery.reason === 'Starting') return undefined;
  return { status: 'False', reason: recovery.reason, message: recovery.message };
}

/** Whether the VM is as its spec wants it: also a halted VM that is off. */
function ready(input: StatusInput): ConditionInput {
  const { vm, instance } = input;
  const type = 'Ready';
  const recovery = recovering(input);
  if (recovery !== undefined) return { type, ...recovery };
  const phase = phaseOf(input);
  if (phase === 'Halted' && (vm.spec.runStrategy === 'Halted' || instance?.status?.lastStop?.reason === 'Shutdown')) {
    const message =
      vm.spec.runStrategy === 'Halted'
        ? 'the VM is off, as spec.runStrategy says'
        : 'the guest shut itself down; runStrategy RerunOnFailure leaves it off';
    return { type, status: 'True', reason: 'Halted', message };
  }
  const hung = phase === 'Running' ? hungGuest(instance) : undefined;
  if (hung !== undefined) return { type, status: 'False', ...hung };
  if (
    vm.spec.runStrategy !== 'Halted' &&
    (phase === (vm.spec.paused ? 'Paused' : 'Running') || phase === 'Migrating')
  ) {
    const reason = phase === 'Migrating' ? 'Running' : phase;
    return {
      type,
      status: 'True',
      reason,
      message: `the VM is ${reason.toLowerCase()} on host ${instance?.spec.host}`,
    };
  }
  if (phase === 'Pending' && instance !== undefined) return { ...storageReachable(input), type, status: 'False' };
  if (phase === 'Pending') return { ...scheduled(input), type };
  return { ...running(input), type, status: phase === 'Unknown' ? 'Unknown' : 'False' };
}

/** Why the guest of a domain that runs is not well. */
function hungGuest(
  instance: VirtualMachineInstance | undefined,
): Pick<ConditionInput, 'reason' | 'message'> | undefined {
  const { reason, message = '' } =
    agentStatus(instance)?.reason === 'GuestHeartbeatLost' ? (instance?.status ?? {}) : {};
  return reason === undefined ? undefined : { reason, message };
}

/** Whether the domain runs (a paused one does not). */
function running(input: StatusInput): ConditionInput {
  const { vm, instance, outOfDate } = input;
  const type = 'Running';
  const recovery = recovering(input);
  if (recovery !== undefined) return { type, ...recovery };
  if (instance === undefined) {
    const halted = vm.spec.runStrategy === 'Halted';
    return {
      type,
      status: 'False',
      reason: halted ? 'Halted' : 'NotPlaced',
      message: halted ? 'spec.runStrategy is Halted' : 'no host has been chosen yet',
    };
  }
  const { host } = instance.spec;
  if (outOfDate !== undefined) {
    return {
      type,
      status: 'Unknown',
      reason: 'HostNotReady',
      message: `the state of the VM is not known: ${outOfDate}`,
    };
  }
  const phase = phaseOf(input);
  const seen = agentStatus(instance);
  if (phase === 'Running' || phase === 'Migrating')
    return { type, status: 'True', reason: 'Running', message: `the domain runs on host ${host}` };
  return { type, status: 'False', reason: seen?.reason ?? phase, message: seen?.message ?? WORDS[phase](host) };
}

const WORDS: Readonly<Record<Phase, (host: string) => string>> = {
  Pending: () => 'no host has been chosen yet',
  Starting: (host) => `host ${host} is starting the domain`,
  Running: (host) => `the domain runs on host ${host}`,
  Migrating: (host) => `the domain of host ${host} is being moved`,
  Paused: (host) => `the domain on host ${host} is paused`,
  Stopping: (host) => `host ${host} is shutting the guest down`,
  Halted: () => 'the VM is off',
  CrashLoop: (host) => `the domain on host ${host} keeps stopping; the next start waits`,
  Failed: (host) => `host ${host} could not start the domain`,
  Unknown: (host) => `host ${host} does not answer`,
};

/** Whether a host has been chosen, with one line per host: the placement as it was decided. */
function scheduled(input: StatusInput): ConditionInput {
  const { vm, instance, step } = input;
  const type = 'Scheduled';
  const recovery = recovering(input);
  if (recovery !== undefined) return { type, ...recovery };
  if (instance !== undefined) {
    const explanation = instance.metadata.annotations[PLACEMENT_ANNOTATION];
    const message = explanation ?? `placed on host ${instance.spec.host} (epoch ${instance.spec.epoch})`;
    return { type, status: 'True', reason: 'Placed', message };
  }
  switch (step.step) {
    case 'WaitFor': {
      const message = step.missing.map((missing) => missing.message).join('; ');
      return { type, status: 'False', reason: step.missing[0]?.reason ?? 'Waiting', message };
    }
    case 'Unschedulable': {
      const lines = explainPlacement(step.placement);
      const held = heldForFailover(step.placement);
      if (held !== undefined) {
        const text = `${held}; ${summarizeRefusal(step.placement)}\n${lines}`;
        return { type, status: 'False', reason: 'FailoverReserve', message: text };
      }
      const message = `${summarizeRefusal(step.placement)}${lines === '' ? '' : `\n${lines}`}`;
      return { type, status: 'False', reason: 'NoHostFits', message };
    }
    case 'CreateVolumes':
      return {
        type,
        status: 'False',
        reason: 'VolumeNotReady',
        message: `Volumes are being made: ${step.volumes.map(({ name }) => name).join(', ')}`,
      };
    default: {
      const halted = vm.spec.runStrategy === 'Halted';
      return {
        type,
        status: 'False',
        reason: halted ? 'Halted' : 'Placing',
        message: halted ? 'spec.runStrategy is Halted' : 'a host is being chosen',
      };
    }
  }
}

type SuppressedBy = NonNullable<
  NonNullable<NonNullable<VirtualMachineInstance['status']>['guestTools']>['suppressedBy']
>;

const SUPPRESSIONS: Readonly<Record<SuppressedBy, string>> = {
  Migration: 'the VM is being moved',
  MinUptime: 'it was started or reset a short while ago (HAPolicy, vmFault.minUptimeSeconds)',
  RecentIO: 'it has read, written or sent something a short while ago (HAPolicy, vmFault.ioQuietSeconds)',
};

function guestToolsConnected({ instance }: StatusInput): ConditionInput {
  const type = 'GuestToolsConnected';
  const tools = agentStatus(instance)?.guestTools;
  if (tools === undefined) return { type, status: 'False', reason: 'NotRunning', message: 'the guest does not run' };
  const { silentSince, suppressedBy } = tools;
  if (silentSince !== undefined) {
    const why = suppressedBy === undefined ? '' : `; nothing is done, since ${SUPPRESSIONS[suppressedBy]}`;
    const message = `the guest agent has its channel open, and has not answered since ${silentSince}${why}`;
    return { type, status: 'False', reason: 'GuestHeartbeatLost', message };
  }
  return tools.connected
    ? { type, status: 'True', reason: 'Connected', message: 'the guest agent answers' }
    : {
        type,
        status: 'False',
        reason: 'GuestToolsNotRunning',
        message: 'the guest agent (qemu-guest-agent) has not connected; install it or start it in the guest',
      };
}

/** Whether it can be moved while it runs, whatever room hosts have at the moment. */
function migratable(input: StatusInput): ConditionInput {
  const type = 'Migratable';
  const { outOfDate } = input;
  if (outOfDate !== undefined) return { type, status: 'Unknown', reason: 'HostNotReady', message: outOfDate };
  const phase = phaseOf(input);
  if (phase !== 'Running' && phase !== 'Migrating') {
    const message = 'only a running VM is moved live; one that is off is placed anew when it starts';
    return { type, status: 'False', reason: 'NotRunning', message };
  }
  const verdict = input.migratable();
  return verdict.ok
    ? { type, status: 'True', reason: 'HostFound', message: 'another host of its Cluster can take it when it has room' }
    : { type, status: 'False', reason: verdict.reason, message: verdict.message };
}

/** Whether the VM is where the rules in effect want it. */
function rulesSatisfied({ brokenRules }: StatusInput): ConditionInput {
  const type = 'RulesSatisfied';
  const [first] = brokenRules;
  if (first === undefined) {
    return { type, status: 'True', reason: 'Kept', message: 'no rule in effect is broken by where the VM is' };
  }
  const list = brokenRules.map(({ ruleGroup, message }) => `RuleGroup ${ruleGroup}: ${message}`).join('; ');
  const message = `${list}. What is done about it stands in status.violations of the RuleGroup`;
  return { type, status: 'False', reason: 'RuleBroken', message };
}

/** Whether it would run elsewhere if its host died now. */
function haProtected({ vm, instance, protectedFromHostFault }: StatusInput): ConditionInput {
  const type = 'HAProtected';
  if (instance === undefined || instance.spec.powerState === 'Off' || vm.spec.runStrategy === 'Halted') {
    return { type, status: 'False', reason: 'NotRunning', message: 'the VM is off, and on no host that could die' };
  }
  const verdict = protectedFromHostFault();
  return verdict.ok
    ? { type, status: 'True', reason: 'Protected', message: 'if its host dies, it is run again as the HAPolicy says' }
    : { type, status: 'False', reason: verdict.reason, message: verdict.message };
}

/** Whether it could be run elsewhere at once as far as the VMs go that it depends on. Nothing is said of one that depends on none. */
function dependenciesReady({ dependencies }: StatusInput): ConditionInput[] {
  const type = 'DependenciesReady';
  if (dependencies === undefined) return [];
  return dependencies.ok
    ? [{ type, status: 'True', reason: 'Ready', message: 'every VM that it depends on is ready' }]
    : [{ type, status: 'False', reason: dependencies.reason, message: dependencies.message }];
}

/** Whether its host sees what its disks lie on. */
function storageReachable({ instance, datastoreFault }: StatusInput): ConditionInput {
  const type = 'StorageReachable';
  if (datastoreFault !== undefined) {
    return { type, status: 'False', reason: datastoreFault.reason, message: datastoreFault.message };
  }
  return instance === undefined
    ? { type, status: 'True', reason: 'NotPlaced', message: 'the VM is on no host that could have lost a datastore' }
    : { type, status: 'True', reason: 'Reachable', message: 'its host has told of no datastore that it has lost' };
}

/** Whether changes of the spec wait for a power cycle. */
function restartRequired({ vm, instance }: StatusInput): ConditionInput {
  const type = 'RestartRequired';
  const fields = agentStatus(instance)?.restartRequired ?? [];
  if (fields.length === 0)
    return { type, status: 'False', reason: 'UpToDate', message: 'the guest runs with what the spec says' };
  const how = `kubectl annotate vm -n ${vm.metadata.namespace} ${vm.metadata.name} --overwrite drover.dev/restartedAt="$(date -Is)"`;
  return {
    type,
    status: 'True',
    reason: 'SpecChanged',
    message: `${fields.join(', ')} changed; restart the VM to make it work: ${how}`,
  };
}
