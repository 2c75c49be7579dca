import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOT_SEEN_YET } from '../../../src/api/common/status.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import type { KindRef, KubeObject } from '../../../src/kube/index.ts';
import { COMPLETE_OBJECTS } from '../../builders/complete-objects.ts';
import { sharedClient } from '../control-plane.ts';
import { newNamespace } from '../kube/objects.ts';
import { type CustomResourceDefinition, installCrds } from './install-crds.ts';
import { ALL_KINDS, kindNamed } from './verdict.ts';

const client = sharedClient();
let crds: CustomResourceDefinition[];
let namespace: string;
beforeAll(async () => {
  crds = await installCrds(client);
  namespace = await newNamespace(client);
});
afterAll(() => client.close());

function object(kind: KindRef, name: string, spec: unknown): KubeObject {
  const metadata = { name, ...(kind.namespaced && { namespace }) };
  return { apiVersion: 'drover.dev/v1alpha1', kind: kind.kind, metadata, spec };
}

function completeSpec(kind: KindRef): object {
  return Object(structuredClone(COMPLETE_OBJECTS[kind.kind]?.[0]?.spec));
}

describe('the CRDs', () => {
  it.each(ALL_KINDS)('$kind is structural and its names are its own', ({ plural }) => {
    const conditions = crds.find(({ metadata }) => metadata.name.startsWith(`${plural}.`))?.status?.conditions ?? [];
    const byType = Object.fromEntries(conditions.map(({ type, status }) => [type, status]));
    expect(byType).toEqual({ NamesAccepted: 'True', Established: 'True' });
  });

  it.each(ALL_KINDS)(
    '$kind is found by its short name and by its category',
    async ({ kind, shortName, group, version }) => {
      const path = `/apis/${group}/${version}`;
      expect(await client.raw({ method: 'GET', path })).toMatchObject({
        resources: expect.arrayContaining([
          expect.objectContaining({ kind, shortNames: [shortName], categories: ['drover'] }),
        ]),
      });
    },
  );

  it('fills in the defaults of a VM that says no more than it must', async () => {
    const disks = [{ name: 'root', volumeTemplate: { datastoreName: 'shared', size: '1Gi' } }];
    const spec = { memory: { size: '1Gi' }, disks, nics: [{ name: 'lan', portGroup: 'lan' }] };
    const stored = await client.create(VirtualMachine, object(VirtualMachine, 'defaults', spec));
    expect(stored.spec).toEqual({
      runStrategy: 'Always',
      paused: false,
      cpu: { sockets: 1, coresPerSocket: 1, threads: 1 },
      memory: { size: '1Gi' },
      machineType: 'q35',
      disks: [
        {
          name: 'root',
          bus: 'virtio',
          cache: 'none',
          readOnly: false,
          volumeTemplate: {
            datastoreName: 'shared',
            size: '1Gi',
            provisioning: 'Thin',
            source: {},
            reclaimPolicy: 'Delete',
          },
        },
      ],
      nics: [{ name: 'lan', portGroup: 'lan', model: 'virtio' }],
      ha: { enabled: true, restartPriority: 'Medium', dependsOn: [] },
      guestTools: 'Optional',
      terminationGracePeriodSeconds: 60,
    });
  });

  it.each([
    ['VirtualMachine', 'Pending'],
    ['Volume', 'Pending'],
    ['Image', 'Pending'],
    ['Cluster', undefined],
    ['Datastore', undefined],
    ['HAPolicy', undefined],
    ['VirtualSwitch', undefined],
    ['PortGroup', undefined],
    ['RuleGroup', undefined],
    ['Migration', undefined],
  ])('shows a %s that nobody has looked at as not ready yet, whatever status its user wrote', async (name, phase) => {
    const kind = kindNamed(name);
    const written = {
      ...object(kind, 'unseen', completeSpec(kind)),
      status: { ...(phase && { phase: 'Failed' }), conditions: [] },
    };
    const created = await client.create(kind, written);
    const read = await client.get(kind, created.metadata);
    for (const seen of [created, read]) {
      expect(Object(seen).status).toEqual({ ...(phase && { phase }), conditions: NOT_SEEN_YET.conditions });
    }
  });

  it('gives a Host without a spec the reservations that mean none', async () => {
    const stored = await client.create(Host, object(Host, `${namespace}-blank`, undefined), { dryRun: true });
    expect(stored.spec).toEqual({
      maintenance: 'Disabled',
      evacuateWhenCordoned: true,
      reserved: { cpu: 0, memory: 0 },
      power: {},
    });
  });

  it.each(ALL_KINDS)('gives $kind the defaults that its zod schema gives', async ({ kind, object: schema }) => {
    const ref = kindNamed(kind);
    const complete = object(ref, `${namespace}-zod`, completeSpec(ref));
    const stored = await client.create(ref, complete, { dryRun: true });
    expect(stored.spec).toEqual(Reflect.get(Object(schema.parse(complete)), 'spec'));
  });

  it('refuses a field that it does not know, by name', async () => {
    const spec = { memory: { size: '1Gi' }, memroy: {} };
    await expect(client.create(VirtualMachine, object(VirtualMachine, 'typo', spec))).rejects.toThrow(
      'unknown field "spec.memroy"',
    );
  });

  it('prunes such a field for a client that does not ask to be told', async () => {
    const spec = { memory: { size: '1Gi', sise: 1 }, memroy: {} };
    const path = `/apis/drover.dev/v1alpha1/namespaces/${namespace}/virtualmachines`;
    const body = object(VirtualMachine, 'pruned', spec);
    await client.raw({ method: 'POST', path, query: { fieldValidation: 'Ignore' }, body });
    const stored = await client.get(VirtualMachine, { name: 'pruned', namespace });
    expect(stored.spec.memory).toEqual({ size: '1Gi' });
    expect(stored.spec).not.toHaveProperty('memroy');
  });
});

describe('the status', () => {
  it('is no part of what a user writes', async () => {
    const wanted = { ...object(VirtualMachine, 'status', { memory: { size: '1Gi' } }), status: { phase: 'Running' } };
    const stored = await client.create(VirtualMachine, wanted);
    expect(stored.status).toEqual(VirtualMachine.initialStatus);
    expect(stored.metadata.generation).toBe(1);
  });

  it('is written alone, and does not count as a change of what is wanted', async () => {
    const status = { phase: 'Running', host: 'host-1' };
    const written = { ...object(VirtualMachine, 'status', { memory: { size: '8Gi' } }), status };
    const stored = await client.applyStatus<KubeObject>(VirtualMachine, written, { fieldManager: 'test' });
    expect(stored.status).toMatchObject(status);
    expect(stored.spec).toMatchObject({ memory: { size: '1Gi' } });
    expect(stored.metadata.generation).toBe(1);
  });

  it('lets two writers each keep their own condition', async () => {
    const condition = (type: string) => ({
      type,
      status: 'True',
      reason: 'Test',
      message: '',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    });
    const apply = (type: string, fieldManager: string) => {
      const wanted = { ...object(VirtualMachine, 'status', undefined), status: { conditions: [condition(type)] } };
      return client.applyStatus<KubeObject>(VirtualMachine, wanted, { fieldManager });
    };
    await apply('Ready', 'one');
    const stored = await apply('Scheduled', 'two');
    expect(stored.status).toMatchObject({ conditions: [{ type: 'Ready' }, { type: 'Scheduled' }] });
  });
});

describe('selectable fields', () => {
  it('lists and watches the instances of one host only', async () => {
    const spec = completeSpec(VirtualMachineInstance);
    const fieldSelector = 'spec.host=host-7';
    const { resourceVersion } = await client.list(VirtualMachineInstance, { namespace, fieldSelector });
    for (const host of ['host-6', 'host-7']) {
      const instance = object(VirtualMachineInstance, host, { ...spec, host });
      await client.create<KubeObject>(VirtualMachineInstance, instance);
    }
    const listed = await client.list(VirtualMachineInstance, { namespace, fieldSelector });
    expect(listed.items.map(({ metadata }) => metadata.name)).toEqual(['host-7']);
    expect(await firstSeen(VirtualMachineInstance, { fieldSelector, resourceVersion })).toBe('host-7');
  });

  it('lists and watches the Volumes that one host works on, from the moment that it is chosen', async () => {
    const fieldSelector = 'status.host=host-7';
    const { resourceVersion } = await client.list(Volume, { namespace, fieldSelector });
    const volume = object(Volume, 'chosen', completeSpec(Volume));
    await client.create<KubeObject>(Volume, volume);
    expect((await client.list(Volume, { namespace, fieldSelector })).items).toEqual([]);
    const status = { ...volume, spec: undefined, status: { host: 'host-7' } };
    await client.applyStatus<KubeObject>(Volume, status, { fieldManager: 'test' });
    expect((await client.list(Volume, { namespace, fieldSelector })).items).toHaveLength(1);
    expect(await firstSeen(Volume, { fieldSelector, resourceVersion })).toBe('chosen');
  });

  async function firstSeen(kind: KindRef, options: { fieldSelector: string; resourceVersion: string }) {
    const events = client.watch(kind, { ...options, namespace, timeoutSeconds: 20 });
    for await (const event of events) if (event.type === 'ADDED') return event.object.metadata.name;
    return undefined;
  }
});

describe('what kubectl get shows', () => {
  it.each(ALL_KINDS)(
    '$kind has each of its columns filled from one of the complete objects',
    async ({ kind, columns }) => {
      const ref = kindNamed(kind);
      const shown: unknown[] = [];
      for (const [index, { spec, status }] of (COMPLETE_OBJECTS[kind] ?? []).entries()) {
        const name = `${namespace}-table-${index}`;
        const complete = object(ref, name, spec);
        await client.create(ref, complete);
        await client.applyStatus(ref, { ...complete, spec: undefined, status }, { fieldManager: 'test' });
        const folder = `/apis/drover.dev/v1alpha1/${ref.namespaced ? `namespaces/${namespace}/` : ''}${ref.plural}`;
        shown.push(await client.raw({ method: 'GET', path: `${folder}/${name}` }));
      }
      expect(shown[0]).toMatchObject({ kind });
      // Some columns exclude each other, as the VM and the RuleGroup that a Migration moves.
      for (const { jsonPath } of columns) {
        const filled = shown.filter((each) => jsonPathValue(each, jsonPath) !== undefined);
        expect(filled.length, jsonPath).toBeGreaterThan(0);
      }
    },
  );
});

/** The little of JSONPath that columns use: `.a.b[?(@.type=='Ready')].c`. */
function jsonPathValue(value: unknown, jsonPath: string): unknown {
  return (jsonPath.match(/\[\?\(@\.type=='\w+'\)\]|[^.[\]]+/g) ?? []).reduce<unknown>((current, step) => {
    const type = /=='(\w+)'/.exec(step)?.[1];
    if (type === undefined) return Object(current)[step];
    return Array.isArray(current) ? current.find((entry) => Object(entry)['type'] === type) : undefined;
  }, value);
}
