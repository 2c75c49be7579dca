import { describe, expect, it } from 'vitest';
import type { VirtualMachineInstanceSpec } from '../../../src/api/virtual-machine-instance.ts';
import { changedFields, identityOf } from '../../../src/domain/index.ts';
import { disk, instanceSpec, nic } from '../../builders/virtual-machine-instance.ts';

const cloudInit = { instanceID: 'i-1', hostname: 'web', sealedUserData: { source: 'uid/1/key', box: 'first' } };
const before = instanceSpec({ disks: [disk()], nics: [nic()], cloudInit });
const running = identityOf({ namespace: 'default', name: 'web', spec: before }, 'then').fields;

const rows: [change: string, spec: Partial<VirtualMachineInstanceSpec>, fields: string[]][] = [
  ['nothing', {}, []],
  ['more cores', { cpu: { sockets: 1, coresPerSocket: 2, threads: 1 } }, ['cpu']],
  ['more memory', { memoryBytes: 128 * 2 ** 20 }, ['memoryBytes']],
  ['another machine type', { machineType: 'pc' }, ['machineType']],
  ['another disk', { disks: [disk(), disk({ name: 'data', target: 'vdb' })] }, ['disks']],
  ['another switch', { nics: [nic({ virtualSwitchName: 'wan' })] }, ['nics']],
  ['no cloud-init any more', { cloudInit: undefined }, ['cloudInit']],
  ['another Secret', { cloudInit: { ...cloudInit, sealedUserData: { source: 'uid/2/key', box: 'x' } } }, ['cloudInit']],
  [
    'the same Secret sealed anew',
    { cloudInit: { ...cloudInit, sealedUserData: { source: 'uid/1/key', box: 'x' } } },
    [],
  ],
  ['two at once', { memoryBytes: 1, machineType: 'pc' }, ['machineType', 'memoryBytes']],
  [
    'what a running domain follows',
    { powerState: 'Paused', gracePeriodSeconds: 1, epoch: 2, restartPolicy: 'OnFailure' },
    [],
  ],
];

describe('fields that need a power cycle', () => {
  it.each(rows)('%s', (_change, changes, fields) => {
    expect(changedFields({ ...before, ...changes }, running)).toEqual(fields);
  });

  it('does not depend on the order of keys', () => {
    const cpu = { threads: 1, coresPerSocket: 1, sockets: 1 };
    expect(changedFields({ ...before, cpu }, running)).toEqual([]);
  });

  it('holds nothing against a domain that an older agent made', () => {
    expect(changedFields({ ...before, machineType: 'pc' }, {})).toEqual([]);
  });
});
