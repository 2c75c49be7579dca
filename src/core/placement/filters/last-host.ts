import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** While nobody has confirmed that the last host has stopped its copy, no other host may start one. */
export const lastHost: Filter = ({ onlyHost }) => {
  if (onlyHost === undefined) return undefined;
  const elsewhere = obstacle('MayRunElsewhere', { onlyHost }, say);
  return (host) => (host.name === onlyHost ? undefined : elsewhere);
};

const say = ({ onlyHost }: { onlyHost: string }) => `host ${onlyHost} has not confirmed that its copy is off`;
