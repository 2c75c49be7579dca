import { type Cluster, type ClusterStatus, MAX_LISTED } from '../../api/cluster.ts';
import type { Host } from '../../api/host.ts';
import { type Baseline, type BaselineInput, type BlockedHost, decideBaseline } from '../../core/imc/baseline.ts';
import { readCpu } from '../../core/model/read-host.ts';
import { shortList } from '../../core/model/short-list.ts';
import type { ConditionInput } from '../../runtime/index.ts';

/** The CPU baseline of a Cluster, as its status tells it. */
export interface BaselineReport {
  readonly baseline: ClusterStatus['baseline'];
  readonly condition: ConditionInput;
}

const TYPE = 'BaselineReady';

/**
 * @param hosts of the Cluster
 * @param placed its VMs that are placed
 */
export function baselineOf(
  { spec, status }: Cluster,
  hosts: readonly Host[],
  placed: BaselineInput['placed'],
): BaselineReport {
  const { mode, baseline: level } = spec.imc;
  if (mode === 'Disabled') {
    const message = 'spec.imc is Disabled: a VM sees the CPU of the host that starts it';
    return { baseline: undefined, condition: { type: TYPE, status: 'True', reason: 'Disabled', message } };
  }
  const decided = decideBaseline({
    wanted: mode === 'Auto' || level === undefined ? 'Auto' : { level },
    current: status?.baseline?.level,
    hosts: hosts.map(({ metadata, status: seen }) => {
      const { cpuModels, missingCpuFeatures } = readCpu(seen);
      // A host that can present none has not told.
      return { name: metadata.name, cpuModels: cpuModels.size === 0 ? undefined : cpuModels, missingCpuFeatures };
    }),
    placed,
  });
  return { baseline: statusOf(decided), condition: conditionOf(decided) };
}

function statusOf(decided: Baseline): ClusterStatus['baseline'] {
  if (!decided.ok) return undefined;
  const { level, blocked, refused } = decided;
  return {
    level,
    blockedHosts: blocked.length === 0 ? undefined : blocked.slice(0, MAX_LISTED).map(blockedHost),
    refused: refused && { level: refused.level, virtualMachines: refused.virtualMachines.slice(0, MAX_LISTED) },
  };
}

function blockedHost({ host, best, missing }: BlockedHost) {
  return { host, best, ...(missing.length > 0 && { missingFeatures: [...missing] }) };
}

function conditionOf(decided: Baseline): ConditionInput {
  if (!decided.ok) return { type: TYPE, status: 'False', reason: decided.reason, message: decided.message };
  const { level, blocked, refused } = decided;
  if (refused !== undefined) {
    const whom = shortList(refused.virtualMachines);
    const message = `${refused.level} is lower than ${level}; it is taken once these VMs are off, and ${level} stays till then: ${whom}`;
    const without = blocked.length === 0 ? '' : `. ${wordsOfAll(blocked)}`;
    return { type: TYPE, status: 'False', reason: 'LowerThanPlacedVMs', message: `${message}${without}` };
  }
  if (blocked.length > 0) {
    const message = `VMs are started with ${level}. ${wordsOfAll(blocked)}`;
    return { type: TYPE, status: 'False', reason: 'HostsBlocked', message };
  }
  return { type: TYPE, status: 'True', reason: 'InEffect', message: `VMs are started with ${level}` };
}

function wordsOfAll(blocked: readonly BlockedHost[]): string {
  return `Hosts that cannot present it get none: ${shortList(blocked.map(wordsOf))}`;
}

function wordsOf({ host, best, missing }: BlockedHost): string {
  const lacks = missing.length === 0 ? '' : `; it lacks ${shortList(missing)}`;
  return `${host} (${best === undefined ? 'no level' : `at most ${best}`}${lacks})`;
}
