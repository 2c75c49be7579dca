import { z } from 'zod';
import type { PowerState } from '../device.ts';

/** What does a Redfish service answer (DMTF DSP0266 and its schemas), as far as power goes? */
const link = z.object({ '@odata.id': z.string() });

export const serviceRoot = z.object({ '@odata.id': z.string(), Systems: link.optional() });

export const systemCollection = z.object({
  Members: z.array(link),
  'Members@odata.nextLink': z.string().optional(),
});

const reset = z.object({
  target: z.string(),
  'ResetType@Redfish.AllowableValues': z.array(z.string()).optional(),
  '@Redfish.ActionInfo': z.string().optional(),
});

export const computerSystem = z.object({
  // Null, or not there, while the BMC itself does not know.
  PowerState: z.string().nullish(),
  UUID: z.string().nullish().catch(undefined),
  Actions: z.object({ '#ComputerSystem.Reset': reset.optional() }).optional(),
});

export const actionInfo = z.object({
  Parameters: z.array(z.object({ Name: z.string(), AllowableValues: z.array(z.string()).optional() })).optional(),
});

const errorAnswer = z.object({
  error: z.object({
    message: z.string().optional(),
    '@Message.ExtendedInfo': z.array(z.object({ Message: z.string().optional() })).optional(),
  }),
});

/** Schema ComputerSystem, PowerState. Paused has power. Undefined: none of the values. */
const POWER_STATES: Readonly<Record<string, PowerState>> = {
  On: 'On',
  Off: 'Off',
  PoweringOn: 'On',
  PoweringOff: 'On',
  Paused: 'On',
};

export function powerStateOf(text: string): PowerState | undefined {
  return Object.hasOwn(POWER_STATES, text) ? POWER_STATES[text] : undefined;
}

/** Lower case. Undefined: none, or one of those that stand for none in firmware that was not filled in. */
export function systemUuidOf(text: string | null | undefined): string | undefined {
  const uuid = text?.toLowerCase() ?? '';
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return undefined;
  return /^[0-]+$|^[f-]+$/.test(uuid) ? undefined : uuid;
}

/** The messages of an error answer, the detailed ones first; else the text itself. */
export function errorTextOf(text: string): string {
  const parsed = errorAnswer.safeParse(parseJson(text));
  if (!parsed.success) return text;
  const { message, '@Message.ExtendedInfo': details } = parsed.data.error;
  const detailed = (details ?? []).flatMap((detail) => detail.Message ?? []);
  return detailed.length > 0 ? detailed.join(' ') : (message ?? text);
}

/** Undefined: no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
