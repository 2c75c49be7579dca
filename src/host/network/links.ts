import * as z from 'zod';
import { runTool } from '../run-tool.ts';

/** Where the interfaces are. */
export interface Network {
  /** Network namespace (`ip netns`). Absent: the one the agent runs in. */
  readonly namespace?: string | undefined;
}

/** An interface as `ip -json -details address show` describes it, as far as bridges need it. */
export interface Link {
  readonly name: string;
  /** `bridge`, `vlan`, `tun` (taps of VMs), `veth`, ... Absent: hardware. */
  readonly kind: string | undefined;
  readonly alias: string | undefined;
  /** Bridge or bond that it is a port of. */
  readonly master: string | undefined;
  /** For a VLAN: the interface that it is a VLAN of. */
  readonly parent: string | undefined;
  readonly mtuBytes: number;
  readonly up: boolean;
  readonly loopback: boolean;
  /** Addresses beyond link-local ones, which the kernel gives to every interface. */
  readonly addresses: readonly string[];
  /** For a VLAN: its number. */
  readonly vlan: number | undefined;
  /** For a bridge. */
  readonly stp: boolean;
}

const Json = z.array(
  z
    .object({
      ifname: z.string(),
      ifalias: z.string().optional(),
      master: z.string().optional(),
      link: z.string().optional(),
      mtu: z.number(),
      flags: z.array(z.string()).default([]),
      linkinfo: z
        .object({
          info_kind: z.string().optional(),
          info_data: z.object({ id: z.unknown().optional(), stp_state: z.unknown().optional() }).optional(),
        })
        .optional(),
      addr_info: z.array(z.object({ local: z.string().optional(), scope: z.string().optional() })).default([]),
    })
    // iproute2 prints an empty object for an interface that a filter left out.
    .or(z.object({}).strict()),
);

const TIMEOUT_MS = 10_000;

/** All interfaces, in the kernel's order. */
export async function readLinks(network: Network, signal?: AbortSignal): Promise<Link[]> {
  return parseLinks(await runIp(network, ['-json', '-details', 'address', 'show'], signal));
}

export function parseLinks(json: string): Link[] {
  return Json.parse(JSON.parse(json)).flatMap((link) => {
    if (!('ifname' in link)) return [];
    const data = link.linkinfo?.info_data;
    return [
      {
        name: link.ifname,
        kind: link.linkinfo?.info_kind,
        alias: link.ifalias,
        master: link.master,
        parent: link.link,
        mtuBytes: link.mtu,
        up: link.flags.includes('UP'),
        loopback: link.flags.includes('LOOPBACK'),
        addresses: link.addr_info.flatMap(({ local, scope }) =>
          local === undefined || scope === 'link' ? [] : [local],
        ),
        vlan: typeof data?.id === 'number' ? data.id : undefined,
        stp: data?.stp_state === 1,
      },
    ];
  });
}

/** @throws ToolError with what ip said. */
export async function runIp(network: Network, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const where = network.namespace === undefined ? [] : ['-netns', network.namespace];
  const { stdout } = await runTool({ command: 'ip', args: [...where, ...args], timeoutMs: TIMEOUT_MS, signal });
  return stdout;
}

/**
 * Keeps the host itself out of an interface that only carries guests' packets: no IPv6 address, no router
 * advertisement taken from a guest. A kernel without IPv6 has nothing to switch off (`-e`).
 */
export async function disableIpv6(network: Network, name: string, signal?: AbortSignal): Promise<void> {
  const sysctl = ['sysctl', '-q', '-e', '-w', `net/ipv6/conf/${name}/disable_ipv6=1`];
  const [command = 'sysctl', ...args] =
    network.namespace === undefined ? sysctl : ['ip', 'netns', 'exec', network.namespace, ...sysctl];
  await runTool({ command, args, timeoutMs: TIMEOUT_MS, signal });
}
