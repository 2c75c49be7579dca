import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/** While nobody has confirmed that the last host has stopped its copy, no other host may start one. */
export const lastHost: Filter = (request, host) =>
  request.onlyHost === undefined || request.onlyHost === host.name
    ? YES
    : no('MayRunElsewhere', `host ${request.onlyHost} has not confirmed that its copy is off`);
