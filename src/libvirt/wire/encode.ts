import { type AnyProcedure, PROGRAM_VERSION } from '../procedures/procedure.ts';
import { XdrValueError } from '../xdr/schema.ts';
import { XdrWriter } from '../xdr/writer.ts';
import { FRAME_MAX_BYTES, HEADER_BYTES, type Header, MessageStatus, MessageType, writeHeader } from './message.ts';

const writer = new XdrWriter();
const NO_HEADER = new Uint8Array(HEADER_BYTES);

/**
 * The frame of a call, still without its serial.
 * @throws XdrValueError naming the field that the protocol cannot carry.
 */
export function encodeCall(name: string, procedure: AnyProcedure, args: unknown): Buffer {
  writer.clear();
  writer.fixedBytes(NO_HEADER);
  try {
    procedure.args.write(writer, (args ?? {}) as never);
  } catch (error) {
    if (error instanceof XdrValueError) throw new XdrValueError(`${name}: ${error.message}`);
    throw error;
  }
  const frame = writer.finish();
  if (frame.length > FRAME_MAX_BYTES) {
    throw new XdrValueError(`${name}: a request of ${frame.length} bytes, the protocol's limit is ${FRAME_MAX_BYTES}`);
  }
  writeHeader(frame, {
    program: procedure.program,
    version: PROGRAM_VERSION,
    procedure: procedure.number,
    type: MessageType.CALL,
    serial: 0,
    status: MessageStatus.OK,
  });
  return frame;
}

/** A frame around bytes that are encoded already. */
export function frameOf(header: Header, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  writeHeader(frame, header);
  frame.set(payload, HEADER_BYTES);
  return frame;
}
