import { type AnyProcedure, PROGRAM_VERSION } from '../procedures/procedure.ts';
import { decodePayload } from '../wire/decode.ts';
import { frameOf } from '../wire/encode.ts';
import { HEADER_BYTES, MessageStatus, type MessageStatusValue, MessageType } from '../wire/message.ts';
import { XdrError } from '../xdr/reader.ts';
import { hyper, uint } from '../xdr/schema.ts';
import { struct } from '../xdr/struct.ts';
import { XdrWriter } from '../xdr/writer.ts';
import type { Hole } from './stream.ts';

/** virNetStreamHole. */
const hole = struct({ length: hyper, flags: uint });
const NOTHING = new Uint8Array();

/** The frames of one stream: those that carry the serial of the call that started it. */
export class StreamFrames {
  readonly #procedure: AnyProcedure;
  readonly #serial: number;

  constructor(procedure: AnyProcedure, serial: number) {
    this.#procedure = procedure;
    this.#serial = serial;
  }

  data(bytes: Uint8Array): Buffer {
    return this.#frame(MessageType.STREAM, MessageStatus.CONTINUE, bytes);
  }

  hole(holeBytes: number): Buffer {
    const writer = new XdrWriter();
    hole.write(writer, { length: holeBytes, flags: 0 });
    return this.#frame(MessageType.STREAM_HOLE, MessageStatus.CONTINUE, writer.finish());
  }

  finish(): Buffer {
    return this.#frame(MessageType.STREAM, MessageStatus.OK, NOTHING);
  }

  abort(): Buffer {
    return this.#frame(MessageType.STREAM, MessageStatus.ERROR, NOTHING);
  }

  #frame(type: 3 | 6, status: MessageStatusValue, payload: Uint8Array): Buffer {
    const { program, number: procedure } = this.#procedure;
    return frameOf({ program, version: PROGRAM_VERSION, procedure, type, serial: this.#serial, status }, payload);
  }
}

export function decodeHole(frame: Buffer): Hole {
  const { length } = decodePayload(hole, frame);
  if (length < 0n || length > BigInt(Number.MAX_SAFE_INTEGER)) throw new XdrError(`a hole of ${length} bytes`);
  return { holeBytes: Number(length) };
}

/** A view of what the frame carries. */
export function streamData(frame: Buffer): Buffer {
  return frame.subarray(HEADER_BYTES);
}
