import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf } from '../../../src/libvirt/wire/encode.ts';
import { FrameReader } from '../../../src/libvirt/wire/frames.ts';
import { FRAME_MAX_BYTES, readHeader } from '../../../src/libvirt/wire/message.ts';
import { XdrError } from '../../../src/libvirt/xdr/reader.ts';

const header = { program: 1, version: 1, procedure: 2, type: 1, serial: 3, status: 0 } as const;

function lengthWord(length: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(length);
  return word;
}

describe('FrameReader', () => {
  it('finds the same frames however the bytes are cut', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(payloads, cuts, (given, sizes) => {
        const sent = given.map((payload) => frameOf(header, payload));
        const stream = Buffer.concat(sent);
        const received: string[] = [];
        const reader = new FrameReader((frame) => received.push(frame.toString('hex')));
        for (let offset = 0, turn = 0; offset < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          reader.push(stream.subarray(offset, offset + size));
          offset += size;
        }
        expect(received).toEqual(sent.map((frame) => frame.toString('hex')));
      }),
    );
  });

  it.each([0, 4, 27, FRAME_MAX_BYTES + 1, 0xffff_ffff])('refuses an announced length of %i', (length) => {
    const reader = new FrameReader(() => expect.unreachable());
    expect(() => reader.push(lengthWord(length))).toThrow(XdrError);
    expect(() => new FrameReader(() => undefined).push(lengthWord(length))).toThrow(
      `frame of ${length} bytes announced`,
    );
  });

  it('refuses it also when the length arrives byte by byte', () => {
    const reader = new FrameReader(() => expect.unreachable());
    reader.push(Buffer.from([0xff]));
    reader.push(Buffer.from([0xff]));
    reader.push(Buffer.from([0xff]));
    expect(() => reader.push(Buffer.from([0xff]))).toThrow(XdrError);
  });

  it('takes a frame of exactly the limit', () => {
    let length = 0;
    const reader = new FrameReader((frame) => {
      length = frame.length;
    });
    const frame = Buffer.alloc(FRAME_MAX_BYTES);
    frame.writeUInt32BE(FRAME_MAX_BYTES);
    for (let offset = 0; offset < frame.length; offset += 1_048_576)
      reader.push(frame.subarray(offset, offset + 1_048_576));
    expect(length).toBe(FRAME_MAX_BYTES);
  });

  it('reads headers and refuses types and statuses that do not exist', () => {
    const frame = frameOf(header, new Uint8Array());
    expect(readHeader(frame)).toEqual(header);
    frame.writeUInt32BE(4, 16);
    expect(() => readHeader(frame)).toThrow(/4 is not a message type/);
    frame.writeUInt32BE(1, 16);
    frame.writeUInt32BE(3, 24);
    expect(() => readHeader(frame)).toThrow(/3 is not a message status/);
  });
});
