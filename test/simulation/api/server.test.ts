import { describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { appliesNothing, KubeError, type KubeObject } from '../../../src/kube/index.ts';
import { Timeline } from '../engine/timeline.ts';
import { ApiServer } from './server.ts';

const ref = { name: 'web', namespace: 'default' };

function vm(spec: object = {}): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachine',
    metadata: { ...ref },
    spec: { memory: { size: '1Gi' }, ...spec },
  };
}

function condition(type: string, status: string) {
  return { type, status, reason: 'Test', message: '', lastTransitionTime: '2030-01-01T00:00:00Z' };
}

function hostStatus(conditions: readonly object[]): KubeObject {
  return { apiVersion: API_VERSION, kind: 'Host', metadata: { name: 'h' }, status: { conditions } };
}

function server(): ApiServer {
  return new ApiServer(new Timeline({ kind: 'fixed' }));
}

function reasonOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof KubeError) return error.reason;
    throw error;
  }
  return 'none';
}

describe('the simulated API server', () => {
  it('fills in defaults and begins with the status of what nobody has seen', () => {
    const made = server().create(VirtualMachine, vm());
    expect(made.spec).toMatchObject({ runStrategy: 'Always', disks: [] });
    expect(made.status).toMatchObject({ phase: 'Pending' });
    expect(made.metadata).toMatchObject({ generation: 1 });
  });

  it('counts changes of the spec, and refuses one of an outdated version', () => {
    const api = server();
    const made = api.create(VirtualMachine, vm());
    const halted = api.update(VirtualMachine, { ...made, spec: { ...(vm().spec as object), runStrategy: 'Halted' } });
    expect(halted.metadata.generation).toBe(2);
    expect(reasonOf(() => api.update(VirtualMachine, made))).toBe('Conflict');
  });

  it('writes nothing for an update that changes nothing', () => {
    const api = server();
    const made = api.create(VirtualMachine, vm());
    expect(api.update(VirtualMachine, made).metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  it('keeps a deleted object until its finalizers have gone', () => {
    const api = server();
    const object = vm();
    api.create(VirtualMachine, { ...object, metadata: { ...object.metadata, finalizers: ['drover.dev/cleanup'] } });
    api.delete(VirtualMachine, ref, {});
    expect(api.get(VirtualMachine, ref).metadata).toMatchObject({
      generation: 2,
      deletionTimestamp: '2030-01-01T00:00:00Z',
    });
    api.patch(VirtualMachine, ref, { type: 'merge', body: { metadata: { finalizers: [] } } });
    expect(api.find(VirtualMachine, ref)).toBeUndefined();
  });

  it('deletes only the incarnation that is meant', () => {
    const api = server();
    api.create(VirtualMachine, vm());
    expect(reasonOf(() => api.delete(VirtualMachine, ref, { uid: 'another' }))).toBe('Conflict');
  });

  it('merges the conditions of several managers, and takes away what one of them names no more', () => {
    const api = server();
    api.create(Host, { apiVersion: API_VERSION, kind: 'Host', metadata: { name: 'h' }, spec: {} });
    const by = (fieldManager: string) => ({ fieldManager, force: false, subresource: 'status' as const });
    api.apply(Host, hostStatus([condition('Ready', 'True'), condition('KVMAvailable', 'True')]), by('agent'));
    api.apply(Host, hostStatus([condition('InMaintenance', 'False')]), by('operator'));
    const wanted = hostStatus([condition('Ready', 'True')]);
    const applied = api.apply(Host, wanted, by('agent'));
    expect(applied.status).toMatchObject({
      conditions: [
        { type: 'InMaintenance', status: 'False' },
        { type: 'Ready', status: 'True' },
      ],
    });
    expect(appliesNothing(wanted, applied, 'agent', 'status')).toBe(true);
    expect(appliesNothing(hostStatus([condition('Ready', 'False')]), applied, 'agent', 'status')).toBe(false);
  });

  it('refuses to take a field from another manager, unless it is forced', () => {
    const api = server();
    api.create(Host, { apiVersion: API_VERSION, kind: 'Host', metadata: { name: 'h' }, spec: {} });
    api.apply(Host, hostStatus([condition('Ready', 'True')]), {
      fieldManager: 'agent',
      force: false,
      subresource: 'status',
    });
    const unknown = hostStatus([condition('Ready', 'Unknown')]);
    const by = { fieldManager: 'operator', subresource: 'status' as const };
    expect(reasonOf(() => api.apply(Host, unknown, { ...by, force: false }))).toBe('Conflict');
    expect(api.apply(Host, unknown, { ...by, force: true }).status).toMatchObject({
      conditions: [{ status: 'Unknown' }],
    });
  });

  it('says that a version is too old once the history is compacted', () => {
    const api = server();
    api.create(VirtualMachine, vm());
    api.compact();
    expect(reasonOf(() => api.since(1))).toBe('Expired');
  });
});
