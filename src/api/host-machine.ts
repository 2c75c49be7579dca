import * as z from 'zod';
import { MAX_CPU_FEATURES } from './common/cpu-levels.ts';

/** Processors of a host, and what of them guests can have. */
export const HostCpu = z
  .object({
    model: z.string().max(256).meta({ description: 'CPU model as libvirt names it.' }),
    vendor: z.string().max(64).meta({ description: 'CPU vendor as libvirt names it.' }),
    sockets: z.int().min(1).meta({ description: 'CPU sockets.' }),
    coresPerSocket: z.int().min(1).meta({ description: 'Cores in each socket.' }),
    threadsPerCore: z.int().min(1).meta({ description: 'Hardware threads in each core.' }),
    usableModels: z.array(z.string().max(64)).max(512).default([]).meta({
      description: "CPU models (libvirt's names) that the host can present to a guest, sorted. Default: not reported.",
      'x-kubernetes-list-type': 'atomic',
    }),
    features: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).default([]).meta({
      description:
        "CPU features (libvirt's names) that the host can give to a guest, sorted. A VM without a CPU baseline has them all, and moves to hosts alone that have them too. Default: not reported.",
      'x-kubernetes-list-type': 'atomic',
    }),
    unusableLevels: z
      .array(
        z.object({
          name: z.string().max(64).meta({ description: "libvirt's CPU model." }),
          missingFeatures: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).default([]).meta({
            description:
              "What it has and the host lacks (libvirt's names), sorted. Default empty: libvirt does not say.",
            'x-kubernetes-list-type': 'atomic',
          }),
        }),
      )
      .max(64)
      .default([])
      .meta({
        description:
          "Levels of a CPU baseline that the host's libvirt knows and the host cannot present. Default: none, or not reported.",
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
  })
  .optional()
  .meta({ description: 'Processors of the host. Absent: not reported.' });

/** NUMA cells of a host. */
export const HostNumaCells = z
  .array(
    z.object({
      id: z.int().min(0).meta({ description: 'Number of the cell, as libvirt counts.' }),
      threads: z.int().min(0).meta({ description: 'Hardware threads of the cell.' }),
      memoryBytes: z.int().min(0).meta({ description: 'Memory of the cell, in bytes.' }),
    }),
  )
  .max(64)
  .optional()
  .meta({
    description:
      'NUMA cells. Of hosts that fit, one of which a single cell is large enough for the VM is preferred. Absent: not reported.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['id'],
  });
