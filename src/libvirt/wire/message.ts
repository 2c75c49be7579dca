import { XdrError } from '../xdr/reader.ts';

/*
 * libvirt's frame, from src/rpc/virnetprotocol.x: a length that counts itself, six header words, the payload.
 * All words are 32 bit, big-endian.
 */
export const HEADER_BYTES = 28;
/** VIR_NET_MESSAGE_MAX, which does not count the length word. */
export const FRAME_MAX_BYTES = 33_554_432 + 4;
/** VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX without the header words: what every daemon takes as one piece of a stream. */
export const STREAM_CHUNK_MAX_BYTES = 262_120;

/** virNetMessageType; the types that carry file descriptors are never offered to a daemon by this client. */
export const MessageType = { CALL: 0, REPLY: 1, EVENT: 2, STREAM: 3, STREAM_HOLE: 6 } as const;
/** virNetMessageStatus. CONTINUE: more of the stream follows. */
export const MessageStatus = { OK: 0, ERROR: 1, CONTINUE: 2 } as const;

export type MessageTypeValue = (typeof MessageType)[keyof typeof MessageType];
export type MessageStatusValue = (typeof MessageStatus)[keyof typeof MessageStatus];

export interface Header {
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  readonly type: MessageTypeValue;
  readonly serial: number;
  readonly status: MessageStatusValue;
}

const SERIAL_OFFSET = 20;

export function writeHeader(frame: Buffer, header: Header): void {
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(header.program, 4);
  frame.writeUInt32BE(header.version, 8);
  frame.writeInt32BE(header.procedure, 12);
  frame.writeUInt32BE(header.type, 16);
  frame.writeUInt32BE(header.serial, SERIAL_OFFSET);
  frame.writeUInt32BE(header.status, 24);
}

/** A call is encoded before it is known which connection will carry it; each connection numbers its own calls. */
export function setSerial(frame: Buffer, serial: number): void {
  frame.writeUInt32BE(serial, SERIAL_OFFSET);
}

/** @throws XdrError for a type or status that a client can not receive. */
export function readHeader(frame: Buffer): Header {
  return {
    program: frame.readUInt32BE(4),
    version: frame.readUInt32BE(8),
    procedure: frame.readInt32BE(12),
    type: knownType(frame.readUInt32BE(16)),
    serial: frame.readUInt32BE(SERIAL_OFFSET),
    status: knownStatus(frame.readUInt32BE(24)),
  };
}

function knownType(value: number): MessageTypeValue {
  if (value === 1 || value === 2 || value === 3 || value === 6 || value === 0) return value;
  throw new XdrError(`${value} is not a message type that a client receives`);
}

function knownStatus(value: number): MessageStatusValue {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new XdrError(`${value} is not a message status`);
}
