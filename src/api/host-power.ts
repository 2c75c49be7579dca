import * as z from 'zod';
import { matching, withRules } from './common/cel.ts';
import { ObjectName } from './common/names.ts';

/** Keys of the Secret that a BMC's credentials are read from, as in Secrets of type kubernetes.io/basic-auth. */
export const BMC_CREDENTIALS = { username: 'username', password: 'password' } as const;

const Bmc = withRules(
  z.object({
    type: z.enum(['Redfish', 'IPMI']).meta({
      description: 'How the device is spoken with. Redfish: over HTTPS. IPMI: IPMI 2.0 over LAN (RMCP+).',
    }),
    address: matching(
      z.string().min(1).max(253),
      /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)$/,
      'is no address: write a host name, an IPv4 address, or an IPv6 address in brackets; the port has a field of its own',
    ).meta({ description: 'Host name or IP address of the device.' }),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .meta({ description: 'Its port. Absent: 443 for Redfish, 623 for IPMI.' }),
    systemID: matching(
      z.string().min(1).max(253),
      /^[A-Za-z0-9._-]+$/,
      'is no Id of a system: letters, digits, ".", "_" and "-"',
    )
      .optional()
      .meta({
        description: 'Id of the system that is this host, for a Redfish service of several. Absent: it has one.',
      }),
    cipherSuite: z.int().min(1).max(17).optional().meta({
      description:
        'Cipher suite (IPMI 2.0, table 22-20) that an IPMI device is spoken with: 3 or 17 with most. Absent: the device is asked each time, which may take seconds.',
    }),
    credentialsSecret: ObjectName.meta({
      description: 'Secret in the namespace drover-system with the keys username and password.',
    }),
    certificateAuthority: z.string().max(16_384).optional().meta({
      description:
        "Certificates (PEM) that the device's own is checked against. Absent: the authorities of the system.",
    }),
    insecureSkipVerify: z.boolean().default(false).meta({
      description:
        "Whether the device's certificate is believed unseen: whoever stands between it and the operator learns the password. Default false.",
    }),
  }),
  {
    rule: "self.type == 'IPMI' || !has(self.cipherSuite)",
    message: 'belongs to type IPMI: leave it out',
    fieldPath: '.cipherSuite',
  },
  {
    rule: "self.type == 'Redfish' || !has(self.systemID) && !has(self.certificateAuthority) && !self.insecureSkipVerify",
    message: 'systemID, certificateAuthority and insecureSkipVerify belong to type Redfish: leave them out',
    fieldPath: '.type',
  },
);

/** How the power of a host is switched and read. */
export const HostPower = z
  .object({
    bmc: Bmc.optional().meta({
      description: 'Baseboard management controller of the host. Absent: its power can be neither read nor switched.',
    }),
  })
  .prefault({})
  .meta({ description: 'By what the power of the host is switched. Default: by nothing.' });
export type BmcSpec = z.output<typeof Bmc>;
