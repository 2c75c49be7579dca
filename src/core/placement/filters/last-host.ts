import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** While nobody has confirmed that the last host has stopped its copy, no other host may start one. */
export const lastHost: Filter = ({ onlyHost }) =>
  onlyHost === undefined
    ? undefined
    : (host) =>
        host.name === onlyHost
          ? undefined
          : obstacle('MayRunElsewhere', { onlyHost }, () => `host ${onlyHost} has not confirmed that its copy is off`);
