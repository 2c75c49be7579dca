import type { FailedStart } from '../../api/recovery.ts';
import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import type { RuleGroupModel } from '../../core/model/rule-group.ts';
import { shortList } from '../../core/model/short-list.ts';
import type { HostVerdict, Placement } from '../../core/placement/place.ts';
import type { VirtualMachineExplanation } from '../../core/virtual-machine/explain.ts';

/** Conditions that say what is, or is not, with the VM now. */
const SHOWN: ReadonlySet<string> = new Set(['Ready', 'RestartRequired', 'DependenciesReady']);
/** Most members of a rule that are named. */
const MEMBERS_SHOWN = 8;

/** An explanation for people: what is, what was decided and why, and what every host would say now. */
export function explanationText({ vm, placed, missing, now, rules, hidden }: VirtualMachineExplanation): string {
  const { namespace, name } = vm.metadata;
  const conditions = (vm.status?.conditions ?? []).filter(({ type }) => SHOWN.has(type));
  const tried = vm.status?.recovery?.tried ?? [];
  return [
    `VirtualMachine ${namespace}/${name}: ${vm.status?.phase ?? 'Pending'}${placed ? ` on ${placed.host} (epoch ${placed.epoch})` : ''}`,
    ...conditions.map(
      ({ type, status, reason, message }) => `  ${type} ${status}: ${reason}${message === '' ? '' : `: ${message}`}`,
    ),
    ...(tried.length === 0
      ? []
      : ['', 'Hosts that failed to start it, the first attempt first:', ...table(tried.map(attemptRow))]),
    ...(vm.status?.lastFault === undefined ? [] : [`  ${faultLine(vm.status.lastFault)}`]),
    ...(rules.length === 0 ? [] : ['', 'Rule groups:', ...table(rules.map(ruleRow))]),
    ...(placed?.because === undefined ? [] : ['', 'Why there, as it was decided:', ...indented(placed.because)]),
    ...(missing.length === 0
      ? []
      : [
          '',
          'No host can be asked before this is there:',
          ...missing.map(({ reason, message }) => `  ${reason}: ${message}`),
        ]),
    ...(hidden === undefined
      ? []
      : [
          '',
          `What hosts would say now is not shown, since it takes rights on more than this namespace (${hidden}). Ask an administrator to run: kubectl drover explain vm ${name} -n ${namespace}`,
        ]),
    ...(now === undefined
      ? []
      : ['', headline(now, placed !== undefined), ...table(now.verdicts.map((verdict) => hostRow(verdict, now)))]),
  ].join('\n');
}

function faultLine({ reason, at, host, action, actedAt }: NonNullable<VirtualMachineStatus['lastFault']>): string {
  const done = { None: 'nothing was done', Reboot: 'the guest was reset', Restart: 'it was started elsewhere' }[action];
  return `Guest failed last at ${at} on ${host}: ${reason}; ${done} (${actedAt.length} times in the window of its policy)`;
}

function headline({ verdicts }: Placement, isPlaced: boolean): string {
  const fit = verdicts.filter(({ obstacles }) => obstacles.length === 0).length;
  return `Where it could ${isPlaced ? 'move' : 'run'} now, ${fit} of ${verdicts.length} hosts:`;
}

function hostRow({ host, obstacles, scores, points }: HostVerdict, placement: Placement): [string, string, string] {
  if (obstacles.length > 0)
    return [host, 'no', obstacles.map(({ reason, message }) => `${reason}: ${message}`).join('; ')];
  const why = placement.scorers.map((scorer, index) => scorer.say(scores[index] ?? 0)).join('; ');
  const isBest = placement.ok && placement.host === host;
  return [host, isBest ? 'best' : 'yes', `${points.toFixed(2)} points: ${why}`];
}

function attemptRow({ host, at, reason, message }: FailedStart): [string, string, string] {
  return [host, reason, `${at}: ${message}`];
}

function ruleRow(rule: RuleGroupModel): [string, string, string] {
  const members = [...rule.members].map((member) => member.slice(member.indexOf('/') + 1)).toSorted();
  const list = shortList(members, MEMBERS_SHOWN);
  const hosts =
    rule.type === 'VMsToHosts'
      ? ` ${rule.isOn ? 'on' : 'off'} ${[...rule.hosts].toSorted().join(', ') || 'no host'}`
      : '';
  return [
    rule.name.slice(rule.name.indexOf('/') + 1),
    `${rule.isRequired ? 'required' : 'preferred'} ${rule.type}`,
    list + hosts,
  ];
}

/** Columns as wide as their longest cell. */
function table(rows: readonly (readonly [string, string, string])[]): string[] {
  const width = (column: 0 | 1) => Math.max(0, ...rows.map((row) => row[column].length));
  const [first, second] = [width(0), width(1)];
  return rows.map(([a, b, c]) => `  ${a.padEnd(first)}  ${b.padEnd(second)}  ${c}`);
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`);
}
