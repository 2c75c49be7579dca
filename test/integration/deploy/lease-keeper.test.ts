import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import type { KubeClient } from '../../../src/kube/index.ts';
import { run } from '../../lab/run.ts';
import { type InstalledCluster, startInstalledCluster } from '../rbac/installed.ts';

const CHECKOUT = join(import.meta.dirname, '../../..');
const FILE = join(CHECKOUT, 'deploy/options/lease-keeper.yaml');
const NAMESPACE = 'drover-system';

const Named = z.looseObject({ name: z.string() });
const Template = z.object({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    nodeSelector: z.record(z.string(), z.string()),
    terminationGracePeriodSeconds: z.number(),
    priorityClassName: z.string(),
    containers: z.tuple([
      z.looseObject({
        image: z.string(),
        command: z.array(z.string()),
        args: z.array(z.string()),
        env: z.array(Named),
        volumeMounts: z.array(Named.extend({ mountPath: z.string() })),
      }),
    ]),
    volumes: z.array(Named.extend({ hostPath: z.object({ path: z.string(), type: z.string() }) })),
  }),
});
const DaemonSet = z.looseObject({ spec: z.looseObject({ template: Template }) });
const Pod = z.looseObject({
  spec: z.looseObject({
    priority: z.number(),
    hostPID: z.boolean(),
    volumes: z.array(Named),
    tolerations: z.array(z.looseObject({ operator: z.string(), key: z.string().optional() })),
  }),
});

const manifest = DaemonSet.parse(parse(readFileSync(FILE, 'utf8')));
const { template } = manifest.spec;
const [container] = template.spec.containers;

describe('the DaemonSet of the lease keeper', () => {
  let cluster: InstalledCluster;
  let admin: KubeClient;
  beforeAll(async () => {
    cluster = await startInstalledCluster('lease-keeper', ['--allow-privileged']);
    ({ admin } = cluster);
  });
  afterAll(() => cluster?.remove());

  const STRICT = { fieldValidation: 'Strict', dryRun: 'All' };

  it('is taken by the API server as it is, and is no part of what is applied to every cluster', async () => {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets`;
    expect(await admin.raw({ method: 'GET', path })).toMatchObject({ items: [] });
    const made = await admin.raw({ method: 'POST', path, query: STRICT, body: manifest });
    expect(DaemonSet.parse(made).spec.template.spec.containers[0]).toMatchObject({ args: container.args });
  });

  it('makes pods that outlive taints and pressure, see all processes, and have no token', async () => {
    await cluster.controlPlane
      .kubectl(['create', 'serviceaccount', 'default', `--namespace=${NAMESPACE}`])
      .catch(() => '');
    const body = { apiVersion: 'v1', kind: 'Pod', ...template, metadata: { ...template.metadata, name: 'keeper' } };
    const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
    const { spec } = Pod.parse(await admin.raw({ method: 'POST', path, query: STRICT, body }));
    // Of system-node-critical: the kubelet gives its containers an oom_score_adj of -997.
    expect(spec.priority).toBe(2_000_001_000);
    expect(spec.hostPID).toBe(true);
    expect(spec.tolerations.some(({ operator, key }) => operator === 'Exists' && key === undefined)).toBe(true);
    expect(spec.volumes.map(({ name }) => name)).toEqual(template.spec.volumes.map(({ name }) => name));
  });

  it('starts the program with options that it has, at the places where it and the agent look', async () => {
    const program = container.command.at(-1) ?? '';
    const help = await run(process.execPath, [
      program.replace('/opt/drover/dist', join(CHECKOUT, 'src')).replace(/\.js$/, '.ts'),
      '--help',
    ]);
    for (const option of container.args.filter((arg) => arg.startsWith('--'))) expect(help).toContain(` ${option} <`);
    expect(help).toContain('env: NODE_NAME');
    expect(container.env.map(({ name }) => name)).toContain('NODE_NAME');
    const agentHelp = await run(process.execPath, [join(CHECKOUT, 'src/bin/agent.ts'), '--help']);
    const runDirectory = (of: string) =>
      /--run-dir <folder> .*?\(default: "([^"]*)"\)/.exec(of.replaceAll(/\s+/g, ' '))?.[1];
    expect([runDirectory(help), runDirectory(agentHelp)]).toEqual(['/run/drover', '/run/drover']);
    const mounted = new Set(container.volumeMounts.map(({ mountPath }) => mountPath));
    const used = ['/run/drover', '/run/libvirt/qemu', container.args[container.args.indexOf('--watchdog') + 1]];
    expect(used.filter((path) => path === undefined || !mounted.has(path))).toEqual([]);
    // A path that is another one in the container would be another file than the agent and libvirt mean.
    const paths = new Map(template.spec.volumes.map(({ name, hostPath }) => [name, hostPath.path]));
    for (const { name, mountPath } of container.volumeMounts) expect(paths.get(name)).toBe(mountPath);
  });

  it('is of the version of the checkout, and leaves a keeper the time to end in good order', () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')));
    expect(container.image).toBe(`drover-agent:${version}`);
    // A lapse (14 s), and watchdogs as slow as a minute.
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(14 + 60);
  });
});
