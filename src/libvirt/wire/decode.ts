import { type DaemonErrorFields, LibvirtError } from '../errors.ts';
import { domainRef, networkRef, optionalText } from '../procedures/items.ts';
import { XdrReader } from '../xdr/reader.ts';
import { int, optional, type Xdr } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { HEADER_BYTES } from './message.ts';

/** virNetMessageError; the object fields are leftovers that libvirt itself no longer reads. */
const daemonError = struct({
  code: int,
  domain: int,
  message: optionalText,
  level: int,
  dom: optional(domainRef),
  str1: optionalText,
  str2: optionalText,
  str3: optionalText,
  int1: int,
  int2: int,
  net: optional(networkRef),
});

/** @throws XdrError when the payload is shorter or longer than the schema says. */
export function decodePayload<Out>(schema: Xdr<Out, never>, frame: Buffer): Out {
  const reader = new XdrReader(frame, HEADER_BYTES);
  const value = schema.read(reader);
  reader.end();
  return value;
}

export function decodeError(procedure: string, frame: Buffer): LibvirtError {
  const { message, ...fields } = decodePayload(daemonError, frame);
  const named: DaemonErrorFields = { ...fields, message: message ?? 'no message given' };
  return new LibvirtError(procedure, named);
}
