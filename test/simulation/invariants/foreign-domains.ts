import type { Invariant } from './invariant.ts';

/** A domain that is not Drover's is never touched: only its own guest and its host end it. */
export const foreignDomainsUntouched: Invariant = {
  name: 'foreign domains are left alone',
  onDomain: ({ host, domain, what }) =>
    domain.virtualMachineUID === undefined && /destroyed|paused$|resumed|handed over/.test(what)
      ? `${domain.name} on ${host}: ${what}`
      : undefined,
};
