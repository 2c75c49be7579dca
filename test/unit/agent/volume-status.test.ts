import { describe, expect, it } from 'vitest';
import { type VolumeReport, volumeStatus } from '../../../src/agent/volumes/status.ts';
import { Volume, type VolumeStatus } from '../../../src/api/volume.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const MIB = 2 ** 20;

const volume = (status: Partial<VolumeStatus> = {}) =>
  Volume.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Volume',
    metadata: { name: 'data', namespace: 'default', uid: 'u', generation: 7 },
    spec: { datastoreName: 'main', size: '1Gi' },
    status: { host: 'host-a', attachedTo: 'web', ...status },
  });

const made = { path: '/d/v.qcow2', format: 'qcow2', capacityBytes: 2 ** 30, allocatedBytes: 100 * MIB } as const;
const ready = (allocatedBytes: number): VolumeReport => ({
  is: 'Ready',
  path: made.path,
  capacityBytes: made.capacityBytes,
  allocatedBytes,
});
const failed = (reason: 'OutOfSpace' | 'DatastoreUnavailable' | 'DataMissing'): VolumeReport => ({
  is: 'Failed',
  reason,
  message: 'why',
});
const job = (kind: 'Create' | 'Grow', started = true): VolumeReport => ({
  is: 'Working',
  job: { kind, uid: 'u', started, fraction: 0.456 },
});

describe('volumeStatus', () => {
  it.each<[string, Volume, VolumeReport, string, string, string]>([
    ['data that is there', volume(), ready(0), 'Ready', 'True', 'Provisioned'],
    ['a copy under way', volume(), job('Create'), 'Provisioning', 'False', 'Provisioning'],
    ['growing', volume(made), job('Grow'), 'Resizing', 'False', 'Resizing'],
    ['a full datastore', volume(), failed('OutOfSpace'), 'Failed', 'False', 'OutOfSpace'],
    [
      'an outage before anything was made',
      volume(),
      failed('DatastoreUnavailable'),
      'Pending',
      'False',
      'DatastoreUnavailable',
    ],
    [
      'data that cannot be grown but can be used',
      volume(made),
      failed('OutOfSpace'),
      'Resizing',
      'False',
      'OutOfSpace',
    ],
    ['data that is gone', volume(made), failed('DataMissing'), 'Failed', 'False', 'DataMissing'],
    ['the end', volume(made), { is: 'Deleted' }, 'Deleted', 'False', 'Deleted'],
  ])('says of %s what it is', (_what, object, report, phase, status, reason) => {
    const written = volumeStatus(object, report, NOW);
    expect(written).toMatchObject({ phase, observedGeneration: 7 });
    expect(written.conditions).toMatchObject([{ type: 'Ready', status, reason, observedGeneration: 7 }]);
  });

  it('leaves what the operator writes to the operator', () => {
    expect(Object.keys(volumeStatus(volume(made), ready(0), NOW))).not.toEqual(expect.arrayContaining(['host']));
    expect(volumeStatus(volume(made), ready(0), NOW)).not.toHaveProperty('attachedTo');
  });

  it('keeps what is known of the data until it is deleted', () => {
    expect(volumeStatus(volume(made), failed('OutOfSpace'), NOW)).toMatchObject(made);
    expect(volumeStatus(volume(made), { is: 'Deleted' }, NOW)).not.toHaveProperty('path');
  });

  it('shows progress in whole percent, or that it waits for others', () => {
    expect(volumeStatus(volume(), job('Create'), NOW).conditions[0]?.message).toBe('45 % written');
    expect(volumeStatus(volume(), job('Create', false), NOW).conditions[0]?.message).toMatch(/waits until other/);
  });

  it('follows the space taken only where the change matters', () => {
    expect(volumeStatus(volume(made), ready(110 * MIB), NOW).allocatedBytes).toBe(100 * MIB);
    expect(volumeStatus(volume(made), ready(200 * MIB), NOW).allocatedBytes).toBe(200 * MIB);
  });

  it('keeps the time of the transition while the state stays', () => {
    const before = volumeStatus(volume(), failed('OutOfSpace'), NOW);
    const after = volumeStatus(volume(before), failed('OutOfSpace'), new Date('2026-02-02T00:00:00Z'));
    expect(after.conditions).toEqual(before.conditions);
  });
});
