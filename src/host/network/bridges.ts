import { ToolError } from '../run-tool.ts';
import {
  type BridgeRefusal,
  type BridgeWish,
  type NetworkChange,
  ownBridges,
  planBridge,
  planRemoval,
} from './bridge-plan.ts';
import { disableIpv6, type Network, readLinks, runIp } from './links.ts';

export type BridgeVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: BridgeRefusal | 'NoVlanSupport'; readonly message: string };

/**
 * Makes the bridge as wished, or says why the host cannot have it. Does nothing when it is so already. Not to be called
 * twice at once.
 * @throws ToolError when ip fails.
 */
export async function ensureBridge(network: Network, wish: BridgeWish, signal?: AbortSignal): Promise<BridgeVerdict> {
  const plan = planBridge(wish, await readLinks(network, signal));
  if (!plan.ok) return plan;
  try {
    await carryOut(network, plan.changes, signal);
    return { ok: true };
  } catch (error) {
    if (!isWithoutVlans(error)) throw error;
    const message =
      'the kernel of the host knows no VLANs; load its module (modprobe 8021q) or install a kernel that has it';
    return { ok: false, reason: 'NoVlanSupport', message };
  }
}

/**
 * Removes the bridges of ours for which `wanted` is false and into which nothing but their uplink is plugged.
 * @returns names of those removed, in ascending order.
 */
export async function removeUnusedBridges(
  network: Network,
  wanted: (bridge: {
    readonly name: string;
    readonly switchName: string;
    readonly vlan: number | undefined;
  }) => boolean,
  signal?: AbortSignal,
): Promise<string[]> {
  const links = await readLinks(network, signal);
  const removed: string[] = [];
  for (const bridge of ownBridges(links)) {
    if (wanted({ ...bridge.label, name: bridge.name })) continue;
    const changes = planRemoval(bridge, links);
    if (changes === undefined) continue;
    await carryOut(network, changes, signal);
    removed.push(bridge.name);
  }
  return removed;
}

async function carryOut(
  network: Network,
  changes: readonly NetworkChange[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const change of changes) {
    if (change.do === 'ip') await runIp(network, change.args, signal);
    else await disableIpv6(network, change.name, signal);
  }
}

function isWithoutVlans(error: unknown): boolean {
  return error instanceof ToolError && /Unknown device type/.test(error.stderr);
}
