import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VOLUME_PROTECTION_FINALIZER } from '../../../../src/api/common/names.ts';
import { Volume, type VolumeStatus } from '../../../../src/api/volume.ts';
import {
  partialFileName,
  partialPrefix,
  volumeFileName,
  volumePath,
} from '../../../../src/core/storage/volume-path.ts';
import { nextVolumeStep, type VolumeFacts } from '../../../../src/core/storage/volume-step.ts';

const GIB = 2 ** 30;

const volume = ({
  status,
  metadata,
  size = '1Gi',
}: {
  status?: Partial<VolumeStatus>;
  metadata?: object;
  size?: string;
} = {}) =>
  Volume.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Volume',
    metadata: { name: 'data', namespace: 'default', uid: 'u-1', ...metadata },
    spec: { datastoreName: 'main', size },
    status: { host: 'host-a', ...status },
  });

const facts = (changes: Partial<VolumeFacts> = {}): VolumeFacts => ({
  volume: volume(),
  host: 'host-a',
  job: undefined,
  file: { exists: false },
  ...changes,
});

const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const protectedToo = { ...deleted, finalizers: [VOLUME_PROTECTION_FINALIZER] };
const there = { exists: true, capacityBytes: GIB } as const;

describe('nextVolumeStep', () => {
  it.each([
    ['releases a Volume that is gone', facts({ volume: undefined, job: 'Create' }), { step: 'Release' }],
    [
      'releases a Volume that another host has now',
      facts({ volume: volume({ status: { host: 'host-b' } }) }),
      { step: 'Release' },
    ],
    ['looks before it decides', facts({ file: undefined }), { step: 'Look' }],
    ['creates what was never made', facts(), { step: 'Create' }],
    ['waits for the work under way', facts({ job: 'Create' }), { step: 'AwaitJob' }],
    ['adopts data that was made before the status could be written', facts({ file: there }), { step: 'ReportReady' }],
    [
      'never makes a blank disk in place of lost data',
      facts({ volume: volume({ status: { path: '/d/v' } }) }),
      { step: 'ReportMissing' },
    ],
    [
      'grows to a larger size',
      facts({ volume: volume({ size: '2Gi' }), file: there }),
      { step: 'Grow', toBytes: 2 * GIB },
    ],
    ['never shrinks', facts({ volume: volume({ size: '1Mi' }), file: there }), { step: 'ReportReady' }],
    [
      'keeps protected data of a deleted Volume',
      facts({ volume: volume({ metadata: protectedToo }) }),
      { step: 'AwaitUnprotected' },
    ],
    [
      'deletes, also while it is being made',
      facts({ volume: volume({ metadata: deleted }), job: 'Create' }),
      { step: 'Delete' },
    ],
    [
      'is done after deletion',
      facts({ volume: volume({ metadata: deleted, status: { phase: 'Deleted' } }) }),
      { step: 'Done' },
    ],
  ])('%s', (_what, input, step) => {
    expect(nextVolumeStep(input)).toEqual(step);
  });
});

describe('the names of a Volume’s files', () => {
  const identity = fc.record({
    namespace: fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
    name: fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/),
    uid: fc.uuid(),
  });

  it('fit into a directory and stay in it', () => {
    fc.assert(
      fc.property(identity, fc.uuid(), (of, attempt) => {
        for (const name of [volumeFileName(of), partialFileName(of, attempt)]) {
          expect(name.length).toBeLessThanOrEqual(255);
          expect(name).toMatch(/^[^/]+$/);
        }
        expect(volumePath('/d', of)).toBe(`/d/volumes/${of.namespace}/${volumeFileName(of)}`);
        expect(partialFileName(of, attempt).startsWith(partialPrefix(of))).toBe(true);
        expect(volumeFileName(of).startsWith(partialPrefix(of))).toBe(false);
      }),
    );
  });
});
