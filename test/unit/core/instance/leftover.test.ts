import { describe, expect, it } from 'vitest';
import { judgeLeftover } from '../../../../src/core/instance/index.ts';
import { instance } from '../../../builders/virtual-machine-instance.ts';

const HOST = 'host-a';
const live = instance({ spec: { host: 'host-b', epoch: 5 } });
const owner = { namespace: 'default', name: 'web', virtualMachineUID: live.spec.virtualMachineUID, epoch: 4 };

describe('a domain of Drover without an intent for its host', () => {
  it('is destroyed when its VM has a newer placement on another host', () => {
    const verdict = judgeLeftover(owner, live, HOST);
    expect(verdict).toMatchObject({ verdict: 'Destroy', epoch: 5 });
  });

  it('waits for an intent that is for this host after all', () => {
    expect(judgeLeftover(owner, instance({ spec: { host: HOST, epoch: 5 } }), HOST)).toEqual({ verdict: 'Wait' });
  });

  it.each([
    ['there is no instance', owner, undefined],
    ['the instance is of another VM', { ...owner, virtualMachineUID: 'other' }, live],
    ['the other placement is not newer', { ...owner, epoch: 5 }, live],
    ['the other placement is older', { ...owner, epoch: 6 }, live],
  ])('is left running when %s', (_why, domain, found) => {
    const verdict = judgeLeftover(domain, found, HOST);
    expect(verdict.verdict).toBe('Stray');
    expect(verdict).toHaveProperty('message', expect.stringContaining('default/web'));
  });
});
