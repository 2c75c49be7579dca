import { expect, it } from 'vitest';
import { Host } from '../../../../src/api/host.ts';
import { Volume } from '../../../../src/api/volume.ts';
import { hostOfStray, strayWith } from '../../../../src/core/virtual-machine/stray.ts';

const UUID = '4f1c2d3e-5b6a-4789-8abc-0123456789ab';
const AT = '2030-01-01T00:00:00Z';

/** A host in boot b1 that reports a stray domain, and what is known of its end. */
function reporting(confirmed?: { readonly bootID: string }): Host {
  const fence = confirmed && { ...confirmed, method: 'BMC', startedAt: AT, attempts: 1, confirmedAt: AT };
  const availability = { state: 'Fenced', since: AT, bootID: 'b1', reason: 'PoweredOff', message: '', fence };
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1' },
    spec: {},
    status: {
      bootID: 'b1',
      ...(confirmed && { availability }),
      strayDomains: [{ uuid: UUID, virtualMachine: 'default/web', epoch: 2, message: '' }],
    },
  });
}

it('is the host that reports a domain of the VM', () => {
  expect(hostOfStray(UUID, [reporting()])).toBe('h1');
  expect(hostOfStray('another', [reporting()])).toBeUndefined();
});

it('is none whose boot is proven to be over, and one that has begun another since', () => {
  expect(hostOfStray(UUID, [reporting({ bootID: 'b1' })])).toBeUndefined();
  expect(hostOfStray(UUID, [reporting({ bootID: 'b0' })])).toBe('h1');
});

/** A Volume that was made for the VM with that uid, and attached to one. */
function volume({ owner, attachedTo }: { readonly owner?: string; readonly attachedTo?: string }): Volume {
  return Volume.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Volume',
    metadata: {
      name: 'root',
      namespace: 'default',
      ...(owner && {
        ownerReferences: [{ apiVersion: 'drover.dev/v1alpha1', kind: 'VirtualMachine', name: 'web', uid: owner }],
      }),
    },
    spec: { datastoreName: 'shared', size: '1Gi' },
    status: { ...(attachedTo && { attachedTo }) },
  });
}

it.each([
  ['was made for its VM', { owner: UUID }, true],
  ['was attached to its VM', { attachedTo: 'web' }, true],
  ['is of others', { owner: 'another', attachedTo: 'db' }, false],
  ['is of nobody', {}, false],
])('may use a Volume that %s (%j): %s', (_, of, mayUse) => {
  const stray = { host: 'h1', virtualMachine: 'default/web' };
  expect(strayWith(volume(of), [reporting()])).toEqual(mayUse ? expect.objectContaining(stray) : undefined);
  expect(strayWith(volume(of), [reporting({ bootID: 'b1' })])).toBeUndefined();
});
