import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import type { Host } from '../../api/host.ts';
import { BMC_CREDENTIALS, type BmcSpec } from '../../api/host-power.ts';
import { type KindRef, type KubeApi, KubeError, type KubeObject } from '../../kube/index.ts';
import { ipmiDevice, type PowerDevice, PowerError, type PowerReading, redfishDevice } from '../../power/index.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const SECRET: KindRef<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
/** UDP port of RMCP+. Source: IPMI 2.0, 13.1.2. */
const IPMI_PORT = 623;
/** A BMC is a slow computer; one that is slower than this would hold up a failover. */
const TIMEOUT_MS = 10_000;

/** Who a BMC wants to speak with. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Makes the device of a BMC. */
export type OpenDevice = (bmc: BmcSpec, credentials: Credentials) => PowerDevice;

/** Why a host's BMC cannot be used. */
export class BmcError extends Error {
  /** CamelCase: one of PowerError's, or what is wrong with the Secret or the machine. */
  readonly reason: string;

  constructor(reason: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.name = 'BmcError';
    this.reason = reason;
  }
}

export const openDevice: OpenDevice = (bmc, credentials) => {
  const { type, address, port, systemID, certificateAuthority, insecureSkipVerify, cipherSuite } = bmc;
  const common = { ...credentials, timeoutMs: TIMEOUT_MS };
  if (type === 'IPMI') {
    return ipmiDevice({
      ...common,
      address,
      port: port ?? IPMI_PORT,
      ...(cipherSuite !== undefined && { cipherSuite }),
    });
  }
  return redfishDevice({
    ...common,
    address: port === undefined ? address : `${address}:${port}`,
    ...(systemID !== undefined && { systemID }),
    ...(certificateAuthority !== undefined && { certificateAuthority }),
    insecureSkipVerify,
  });
};

/**
 * The BMC of a host. Before every order, and in every reading, the machine that it says it controls is compared with the host's:
 * a wrong address must not switch another machine off, nor speak for it.
 * @throws BmcError when the host has none, or its credentials cannot be read.
 */
export async function bmcOf(
  host: Pick<Host, 'metadata' | 'spec' | 'status'>,
  client: KubeApi,
  open: OpenDevice,
  signal: AbortSignal,
): Promise<PowerDevice> {
  const { bmc } = host.spec.power;
  if (bmc === undefined) throw new BmcError('NoBMC', 'spec.power.bmc names no BMC');
  const device = open(bmc, await credentialsOf(bmc.credentialsSecret, client, signal));
  const read = async (within: AbortSignal): Promise<PowerReading> => {
    const reading = await device.readState(within);
    const expected = host.status?.systemUUID;
    if (reading.systemUUID === undefined || expected === undefined || reading.systemUUID === expected) return reading;
    throw new PowerError(
      'NotFound',
      `the BMC at ${bmc.address} controls the machine ${reading.systemUUID}, and host ${host.metadata.name} is ${expected}: correct spec.power.bmc`,
    );
  };
  return {
    readState: read,
    forceOff: async (within) => {
      await read(within);
      await device.forceOff(within);
    },
    powerOn: async (within) => {
      await read(within);
      await device.powerOn(within);
    },
  };
}

async function credentialsOf(name: string, client: KubeApi, signal: AbortSignal): Promise<Credentials> {
  const where = `Secret ${SYSTEM_NAMESPACE}/${name} (spec.power.bmc.credentialsSecret)`;
  let secret: Secret;
  try {
    secret = await client.get(SECRET, { namespace: SYSTEM_NAMESPACE, name }, { signal });
  } catch (cause) {
    if (!(cause instanceof KubeError && cause.isNotFound())) throw cause;
    throw new BmcError('CredentialsMissing', `${where} does not exist; create it`, { cause });
  }
  const textOf = (key: string) => {
    const value = secret.data?.[key];
    if (value !== undefined) return Buffer.from(value, 'base64').toString('utf8');
    throw new BmcError('CredentialsMissing', `${where} has no key "${key}"; add it`);
  };
  return { username: textOf(BMC_CREDENTIALS.username), password: textOf(BMC_CREDENTIALS.password) };
}

/** Why a device could not be used, in a word and in words. Anything else is thrown on. */
export function bmcFailure(error: unknown): { readonly reason: string; readonly message: string } {
  if (error instanceof PowerError || error instanceof BmcError) return { reason: error.reason, message: error.message };
  throw error;
}
