import type { Xdr } from '../xdr/schema.ts';
import { type Fields, type StructIn, type StructOut, struct } from '../xdr/struct.ts';

/** Program numbers and the version that libvirt has spoken since 2008 (remote_protocol.x, qemu_protocol.x). */
export const REMOTE_PROGRAM = 0x2000_8086;
export const QEMU_PROGRAM = 0x2000_8087;
export const PROGRAM_VERSION = 1;

/**
 * Which connections carry a call. The daemon reads no further request from a connection with five unanswered ones, so
 * what may take long is kept apart from what is quick.
 * - `call`: answered from memory or by QEMU's monitor.
 * - `guest`: waits for the guest agent, which may be slow or dead.
 * - `job`: migrations, saves and copies; minutes to hours.
 */
export type Lane = 'call' | 'guest' | 'job';

/** Who sends the data that follows the reply. */
export type StreamDirection = 'download' | 'upload' | 'both';

export interface Procedure<Args extends Fields, Ret extends Fields, Stream extends StreamDirection | 'none'> {
  readonly program: number;
  readonly number: number;
  readonly args: Xdr<StructOut<Args>, StructIn<Args>>;
  readonly ret: Xdr<StructOut<Ret>, StructIn<Ret>>;
  readonly lane: Lane;
  readonly stream: Stream;
}

export type AnyProcedure = {
  readonly program: number;
  readonly number: number;
  readonly args: Xdr<unknown, never>;
  readonly ret: Xdr<unknown, never>;
  readonly lane: Lane;
  readonly stream: StreamDirection | 'none';
};

/** A procedure of libvirt's common program. */
export function remote<const Args extends Fields, const Ret extends Fields>(
  number: number,
  args: Args,
  ret: Ret,
  lane: Lane = 'call',
): Procedure<Args, Ret, 'none'> {
  return { program: REMOTE_PROGRAM, number, args: struct(args), ret: struct(ret), lane, stream: 'none' };
}

/** A procedure of the common program whose reply is followed by a stream of data. */
export function streaming<const Args extends Fields, const Ret extends Fields, Stream extends StreamDirection>(
  number: number,
  args: Args,
  ret: Ret,
  stream: Stream,
): Procedure<Args, Ret, Stream> {
  return { program: REMOTE_PROGRAM, number, args: struct(args), ret: struct(ret), lane: 'job', stream };
}

/** A procedure of the QEMU driver's own program. */
export function qemu<const Args extends Fields, const Ret extends Fields>(
  number: number,
  args: Args,
  ret: Ret,
  lane: Lane = 'call',
): Procedure<Args, Ret, 'none'> {
  return { program: QEMU_PROGRAM, number, args: struct(args), ret: struct(ret), lane, stream: 'none' };
}
