/** Reason of the condition FencingReady of a host whose BMC has been given the lie. */
export const POWER_STATE_CONTRADICTED = 'PowerStateContradicted';

/** One renewal may have been on its way when the power went. */
const RENEWALS_AGAINST_IT = 2;

/** What is remembered of a BMC that reads Off. */
export interface OffReadings {
  /** Of the lease of the host's agent, as it was stored right after the last reading. Undefined: there was none. */
  readonly renewTime: string | undefined;
  /** Between how many pairs of readings in a row the lease was renewed. */
  readonly renewals: number;
}

/** What is remembered after one more reading. Undefined: it reads On. @param renewTime see `OffReadings` */
export function afterReading(
  state: 'On' | 'Off',
  renewTime: string | undefined,
  before: OffReadings | undefined,
): OffReadings | undefined {
  if (state === 'On') return undefined;
  const isRenewed = before !== undefined && renewTime !== undefined && renewTime !== before.renewTime;
  return { renewTime, renewals: isRenewed ? before.renewals + 1 : 0 };
}

/** Whether readings of Off are wrong: the host's agent lived all the while. The BMC is another machine's, or lies. */
export function isGivenTheLie(off: OffReadings): boolean {
  return off.renewals >= RENEWALS_AGAINST_IT;
}

/** A Host, as far as what was found out about its BMC goes. */
interface Judged {
  readonly status?: { readonly conditions: readonly { readonly type: string; readonly reason: string }[] } | undefined;
}

/**
 * Why neither readings of the host's BMC prove anything nor orders are given to it: it has read Off while the host was alive. That holds until it reads On.
 * Undefined: it is believed.
 */
export function distrustOf({ status }: Judged): string | undefined {
  const ready = status?.conditions.find(({ type }) => type === 'FencingReady');
  if (ready?.reason !== POWER_STATE_CONTRADICTED) return undefined;
  return "its BMC has read that the host is off while that was alive, so that it is another machine's, or lies: it is not believed, and given no order. Correct spec.power.bmc";
}
