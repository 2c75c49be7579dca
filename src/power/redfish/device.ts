import type { PowerDevice, PowerReading, PowerState } from '../device.ts';
import { PowerError } from '../error.ts';
import { originOf } from './address.ts';
import { actionInfo, computerSystem, powerStateOf, serviceRoot, systemCollection, systemUuidOf } from './answers.ts';
import { RedfishSession } from './session.ts';

export interface RedfishDeviceOptions {
  /** https URL, or host name or IP address, with a port or without. Always encrypted. */
  address: string;
  /** Id of the machine, the last part of its path in the service. Absent: the service has exactly one. */
  systemID?: string;
  /** PEM of the certificates that may have issued the service's, or of that one itself. Absent: those that Node trusts. */
  certificateAuthority?: string;
  /** Whoever is in the way can then read the password and answer in the BMC's place. Default: false. */
  insecureSkipVerify?: boolean;
  username: string;
  password: string;
  /** Of each call, with all requests that it takes. */
  timeoutMs: number;
}

const SERVICE_ROOT = '/redfish/v1/';
/** Of the collection of machines; a service with more has a machine for each of our 200 hosts and then some. */
const PAGES_MAX = 50;

interface Order {
  readonly what: string;
  readonly wanted: PowerState;
  /** Values of ResetType that do it, the best first. */
  readonly resetTypes: readonly [string, ...string[]];
}

const OFF: Order = { what: 'power off', wanted: 'Off', resetTypes: ['ForceOff'] };
const ON: Order = { what: 'power on', wanted: 'On', resetTypes: ['On', 'ForceOn'] };

type System = ReturnType<typeof computerSystem.parse>;

/** A BMC that speaks Redfish (DMTF DSP0266) over HTTPS with basic authentication. Nothing is kept open between calls. */
export function redfishDevice(options: RedfishDeviceOptions): PowerDevice {
  const { address, systemID, ...access } = options;
  // Where the machine is does not change, and BMCs take up to a second for each question.
  let systemPath: string | undefined;

  async function run<T>(what: string, signal: AbortSignal, work: (session: RedfishSession) => Promise<T>): Promise<T> {
    return await RedfishSession.run({ ...access, origin: originOf(address) }, what, signal, work);
  }

  async function readSystem(session: RedfishSession): Promise<System> {
    systemPath ??= await findSystem(session, systemID);
    try {
      return await session.get(systemPath, computerSystem);
    } catch (error) {
      if (error instanceof PowerError && error.reason === 'NotFound') systemPath = undefined;
      throw error;
    }
  }

  async function give({ what, wanted, resetTypes }: Order, signal: AbortSignal): Promise<void> {
    await run(what, signal, async (session) => {
      const { target, ResetType } = await resetOf(session, await readSystem(session), resetTypes);
      try {
        await session.post(target, { ResetType });
      } catch (error) {
        if (!(error instanceof PowerError && error.reason === 'Refused')) throw error;
        // Some BMCs refuse to do what is done already.
        const { PowerState } = await readSystem(session);
        if (powerStateOf(PowerState ?? '') !== wanted) throw error;
      }
    });
  }

  return {
    readState: (signal) =>
      run('read the state', signal, async (session) => readingOf(session, await readSystem(session))),
    forceOff: (signal) => give(OFF, signal),
    powerOn: (signal) => give(ON, signal),
  };
}

function readingOf(session: RedfishSession, { PowerState, UUID }: System): PowerReading {
  const state = powerStateOf(PowerState ?? '');
  if (state === undefined) {
    const told = PowerState ? `"${PowerState.slice(0, 40)}", which is none of Redfish's` : 'no PowerState';
    throw session.failure('UnexpectedAnswer', `it tells ${told}`);
  }
  const systemUUID = systemUuidOf(UUID);
  return { state, ...(systemUUID !== undefined && { systemUUID }) };
}

/** Path of the machine. */
async function findSystem(session: RedfishSession, systemID: string | undefined): Promise<string> {
  const paths = await systemPaths(session);
  const found = systemID === undefined ? paths : paths.filter((path) => idOf(path) === systemID);
  const [path, ...others] = found;
  if (path !== undefined && others.length === 0) return path;
  const known = paths.map(idOf).join(', ') || 'none';
  if (systemID === undefined && paths.length > 1) {
    throw session.failure('NotFound', `it has several systems, so systemID must name one of them: ${known}`);
  }
  throw session.failure(
    'NotFound',
    systemID === undefined ? 'it has no system' : `it has no system "${systemID}". It has: ${known}`,
  );
}

async function systemPaths(session: RedfishSession): Promise<string[]> {
  const { Systems } = await readRoot(session);
  if (Systems === undefined) {
    throw session.failure(
      'NotSupported',
      'it is a Redfish service without systems, e.g. that of a power supply or switch',
    );
  }
  const paths: string[] = [];
  let next: string | undefined = Systems['@odata.id'];
  for (let page = 0; next !== undefined && page < PAGES_MAX; page += 1) {
    const collection: ReturnType<typeof systemCollection.parse> = await session.get(next, systemCollection);
    paths.push(...collection.Members.map((member) => member['@odata.id']));
    next = collection['Members@odata.nextLink'];
  }
  return [...new Set(paths)].sort();
}

async function readRoot(session: RedfishSession): Promise<ReturnType<typeof serviceRoot.parse>> {
  try {
    return await session.get(SERVICE_ROOT, serviceRoot);
  } catch (error) {
    if (!(error instanceof PowerError && error.reason === 'NotFound')) throw error;
    throw session.failure('UnexpectedAnswer', `there is no Redfish service: nothing is at ${SERVICE_ROOT}`, error);
  }
}

function idOf(path: string): string {
  const last = path.replace(/\/+$/, '').split('/').at(-1) ?? path;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** Where the order goes, and its name there. @throws PowerError when the machine's reset cannot do it. */
async function resetOf(
  session: RedfishSession,
  { Actions }: System,
  resetTypes: Order['resetTypes'],
): Promise<{ target: string; ResetType: string }> {
  const reset = Actions?.['#ComputerSystem.Reset'];
  if (reset === undefined)
    throw session.failure('NotSupported', 'it offers no reset of the system, perhaps not to this user');
  const allowed =
    reset['ResetType@Redfish.AllowableValues'] ?? (await allowedByActionInfo(session, reset['@Redfish.ActionInfo']));
  // A service need not tell. Then it says so itself when it does not know the value.
  const ResetType = allowed === undefined ? resetTypes[0] : resetTypes.find((type) => allowed.includes(type));
  if (ResetType !== undefined) return { target: reset.target, ResetType };
  throw session.failure(
    'NotSupported',
    `it offers no ${resetTypes.join(' or ')}, only: ${allowed?.join(', ') || 'nothing'}`,
  );
}

async function allowedByActionInfo(session: RedfishSession, path: string | undefined): Promise<string[] | undefined> {
  if (path === undefined) return undefined;
  const { Parameters } = await session.get(path, actionInfo);
  return Parameters?.find(({ Name }) => Name === 'ResetType')?.AllowableValues;
}
