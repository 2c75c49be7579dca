/** What a bridge of ours is of. */
export interface BridgeLabel {
  readonly switchName: string;
  /** Absent: untagged. */
  readonly vlan: number | undefined;
  /** Interface that joins the bridge to the physical network. Absent: none. */
  readonly uplink: string | undefined;
}

/**
 * The kernel keeps 255 characters (IFALIASZ is 256), and all but the switch's name takes 32: a longer name is cut off.
 * The name of the bridge still tells such switches apart, as it is a hash of the whole.
 */
const MAX_NAME_LENGTH = 223;
const FORM = /^drover (untagged|\d+) (\S+) (.+)$/;

/**
 * The alias (`ip link ... alias`) of every interface that Drover makes: tells ours from others', what it is of, and
 * with which uplink it was made.
 */
export function formatAlias({ switchName, vlan, uplink }: BridgeLabel): string {
  return `drover ${vlan ?? 'untagged'} ${uplink ?? '-'} ${switchName.slice(0, MAX_NAME_LENGTH)}`;
}

/** Undefined for an alias that is none of ours. */
export function parseAlias(alias: string): BridgeLabel | undefined {
  const [, vlan, uplink, switchName] = FORM.exec(alias) ?? [];
  if (vlan === undefined || uplink === undefined || switchName === undefined) return undefined;
  return {
    switchName,
    vlan: vlan === 'untagged' ? undefined : Number(vlan),
    uplink: uplink === '-' ? undefined : uplink,
  };
}

/** Whether two labels are of the same VLAN of the same switch, whatever the uplink. */
export function isSamePlace(a: BridgeLabel, b: BridgeLabel): boolean {
  return formatAlias({ ...a, uplink: undefined }) === formatAlias({ ...b, uplink: undefined });
}
