import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { EntryName, MacAddress, ObjectName } from './common/names.ts';
import { quantityField } from './common/quantity.ts';
import { VolumeProvisioning, VolumeSize, VolumeSource } from './volume.ts';

/** CPU topology of a guest: one vCPU per hardware thread that the guest sees. */
export const Cpu = withRules(
  z.object({
    sockets: z.int().min(1).max(64).default(1).meta({ description: 'CPU sockets that the guest sees. Default 1.' }),
    coresPerSocket: z.int().min(1).max(256).default(1).meta({ description: 'Cores in each socket. Default 1.' }),
    threads: z
      .int()
      .min(1)
      .max(8)
      .default(1)
      .meta({ description: 'Hardware threads in each core. Default 1. vCPUs = sockets × coresPerSocket × threads.' }),
    reservation: quantityField({ least: '0', tooSmall: 'cannot be negative' }).optional().meta({
      description:
        'CPU cores kept free for this VM on its host, as a quantity of cores (`500m`, `2`). Absent: none; the VM takes part in what is free, as in vSphere.',
    }),
  }),
  {
    // QEMU's machine types take at most 255 vCPUs unless the guest has an IOMMU with interrupt remapping.
    rule: 'self.sockets * self.coresPerSocket * self.threads <= 255',
    message: 'sockets × coresPerSocket × threads must be at most 255 vCPUs',
  },
  {
    rule: '!has(self.reservation) || !isQuantity(string(self.reservation)) || quantity(string(self.reservation)).asApproximateFloat() <= double(self.sockets * self.coresPerSocket * self.threads)',
    message:
      'reservation is in CPU cores (2, 500m) and cannot be more than the vCPUs: sockets × coresPerSocket × threads',
    fieldPath: '.reservation',
  },
);

export const Memory = z.object({
  size: quantityField({
    least: '16Mi',
    tooSmall: 'is too little memory: at least 16Mi; a number without a unit is bytes, so write 2Gi for two gibibytes',
    most: '16Ti',
    tooBig: 'is too much memory: at most 16Ti',
  }).meta({ description: 'Memory that the guest sees, in bytes as a quantity (`2Gi`), 16Mi to 16Ti.' }),
});

/** A Volume that the operator makes for this VM and that lives as long as the VM. */
export const VolumeTemplate = withRules(
  z.object({
    datastoreName: ObjectName.meta({ description: 'Datastore on which the Volume is made.' }),
    size: VolumeSize.optional().meta({
      description:
        'Size that the guest sees at first, in bytes as a quantity; to grow the disk, change the size of the Volume. Absent: the size of the image; required for a blank Volume.',
    }),
    provisioning: VolumeProvisioning,
    source: VolumeSource,
    reclaimPolicy: z.enum(['Delete', 'Retain']).default('Delete').meta({
      description:
        'What happens to the Volume when the VM is deleted: Delete (default) removes its data, Retain keeps it.',
    }),
  }),
  {
    rule: 'has(self.size) || has(self.source.imageName)',
    message: 'is missing: a blank Volume needs a size, as in 20Gi',
    fieldPath: '.size',
  },
  {
    rule: 'self == oldSelf',
    message:
      'cannot be changed: the Volume was made from it; to grow the disk, change the size of its Volume, which is named <vm>-<disk>',
  },
);

export const Disk = withRules(
  z.object({
    name: EntryName.meta({
      description: 'Name of the disk within the VM; its serial number in the guest starts with it.',
    }),
    volumeName: ObjectName.optional().meta({
      description: 'Volume (same namespace) behind the disk. Exactly one of volumeName and volumeTemplate.',
    }),
    volumeTemplate: VolumeTemplate.optional().meta({
      description:
        'Makes a Volume named `<vm>-<disk>` for this VM. Exactly one of volumeName and volumeTemplate. Cannot be changed.',
    }),
    bus: z
      .enum(['virtio', 'scsi', 'sata'])
      .default('virtio')
      .meta({ description: 'Controller that the guest sees. Default virtio.' }),
    cache: z.enum(['none', 'writethrough', 'writeback', 'directsync']).default('none').meta({
      description:
        "QEMU's cache mode on the host. Default none (the host's page cache is bypassed), the one that is safe for migration.",
    }),
    readOnly: z.boolean().default(false).meta({ description: 'The guest may only read. Default false.' }),
  }),
  {
    rule: 'has(self.volumeName) != has(self.volumeTemplate)',
    message: 'give exactly one of volumeName (an existing Volume) and volumeTemplate (a Volume made for this VM)',
  },
);

export const Nic = z.object({
  name: EntryName.meta({ description: 'Name of the NIC within the VM.' }),
  portGroup: ObjectName.meta({ description: 'PortGroup (same namespace) that the NIC is plugged into.' }),
  mac: MacAddress.optional().meta({
    description:
      'MAC address, lower case with colons, in quotes because some YAML readers take it for a number. Absent: one is made from the VM and NIC and kept, see status.nics.',
  }),
  model: z
    .enum(['virtio', 'e1000e'])
    .default('virtio')
    .meta({ description: 'Network card that the guest sees. Default virtio.' }),
});

export const CloudInit = withRules(
  z.object({
    userData: z.string().min(1).max(65536).optional().meta({
      description:
        'cloud-init user-data, readable to all who can read the VM. Absent: none, or that of userDataSecret.',
    }),
    userDataSecret: z
      .object({
        name: ObjectName.meta({ description: 'Secret in the same namespace.' }),
        key: z
          .string()
          .min(1)
          .max(253)
          .default('userData')
          .meta({ description: 'Key within the Secret. Default userData.' }),
      })
      .optional()
      .meta({
        description:
          "Secret that holds the user-data; it is sealed for the VM's host on its way there. Absent: none, or userData.",
      }),
    networkData: z
      .string()
      .min(1)
      .max(65536)
      .optional()
      .meta({ description: 'cloud-init network-config. Absent: the guest decides (usually DHCP).' }),
  }),
  {
    rule: '!(has(self.userData) && has(self.userDataSecret))',
    message: 'give userData or userDataSecret, not both',
    fieldPath: '.userData',
  },
);

export const Watchdog = z.object({
  model: z.enum(['i6300esb']).default('i6300esb').meta({
    description:
      'The device that the guest feeds: i6300esb (default), a PCI card that q35 and pc both take, with a driver in Linux and in Windows.',
  }),
});
