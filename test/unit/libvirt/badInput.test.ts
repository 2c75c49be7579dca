import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENTS } from '../../../src/libvirt/events/table.ts';
import { LibvirtTransportError, openLibvirt } from '../../../src/libvirt/index.ts';
import { SESSION } from '../../../src/libvirt/procedures/session.ts';
import { PROCEDURES } from '../../../src/libvirt/procedures/table.ts';
import { decodeError, decodePayload } from '../../../src/libvirt/wire/decode.ts';
import { frameOf } from '../../../src/libvirt/wire/encode.ts';
import { FrameReader } from '../../../src/libvirt/wire/frames.ts';
import { readHeader } from '../../../src/libvirt/wire/message.ts';
import { XdrError } from '../../../src/libvirt/xdr/reader.ts';
import type { AnyXdr } from '../../../src/libvirt/xdr/schema.ts';
import { XdrWriter } from '../../../src/libvirt/xdr/writer.ts';
import { FakeDaemon } from './fakeDaemon.ts';
import { SAMPLE_REPLIES } from './sampleReplies.ts';

const FRAMES = 100_000;
const header = { program: 0x2000_8086, version: 1, procedure: 1, type: 1, serial: 1, status: 0 } as const;

/** Everything that a client ever decodes. */
const decoders: readonly ((frame: Buffer) => unknown)[] = [
  ...[...Object.values(PROCEDURES), ...Object.values(SESSION)].map(({ ret }) => decoderOf(ret)),
  ...Object.values(EVENTS).map(({ message }) => decoderOf(message)),
  (frame) => decodeError('any', frame),
];

function decoderOf(schema: AnyXdr): (frame: Buffer) => unknown {
  return (frame) => decodePayload(schema, frame);
}

/** Decodes or refuses; anything else that is thrown fails the test. */
function survives(decoder: (frame: Buffer) => unknown, frame: Buffer): 'decoded' | 'refused' {
  try {
    decoder(frame);
    return 'decoded';
  } catch (error) {
    if (error instanceof XdrError) return 'refused';
    throw error;
  }
}

const EDGES = [16_384, 16_385, 4_194_304, 4_194_305, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Words as a confused daemon would send: mostly small counts, so that decoding gets far, the limits' edges, noise. */
function asWord(random: number): number {
  if (random % 8 === 0) return random;
  if (random % 8 === 1) return EDGES[random % EDGES.length] ?? 0;
  return (random >>> 3) % 9;
}

const noise = fc.uint32Array({ maxLength: 24 }).map((words) => {
  const payload = Buffer.alloc(words.length * 4);
  for (const [index, random] of words.entries()) payload.writeUInt32BE(asWord(random), index * 4);
  return payload;
});

describe('bad input', () => {
  it(`survives ${FRAMES / 2} frames of noise in every decoder`, () => {
    const decoder = fc.constantFrom(...decoders);
    const seen = { decoded: 0, refused: 0 };
    fc.assert(
      fc.property(decoder, noise, fc.nat({ max: 3 }), (decode, payload, cut) => {
        const frame = frameOf(header, payload.subarray(0, Math.max(0, payload.length - cut)));
        seen[survives(decode, frame)]++;
      }),
      { numRuns: FRAMES / 2 },
    );
    expect(seen.refused).toBeGreaterThan(FRAMES / 10);
  });

  it(`survives ${FRAMES / 2} real replies, cut off or with bytes changed`, () => {
    const samples = SAMPLE_REPLIES.map(({ name, reply }) => {
      const writer = new XdrWriter();
      const schema: AnyXdr = PROCEDURES[name].ret;
      schema.write(writer, reply as never);
      return { decode: decoderOf(schema), payload: writer.finish() };
    });
    const changes = fc.uint32Array({ maxLength: 3 });
    const seen = { decoded: 0, refused: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...samples), changes, fc.option(fc.nat()), ({ decode, payload }, changed, cut) => {
        const bytes = Buffer.from(payload);
        for (const random of changed) bytes[(random >>> 8) % bytes.length] = random & 0xff;
        const frame = frameOf(header, cut === null ? bytes : bytes.subarray(0, cut % bytes.length));
        seen[survives(decode, frame)]++;
      }),
      { numRuns: FRAMES / 2 },
    );
    expect(seen.decoded).toBeGreaterThan(FRAMES / 100);
    expect(seen.refused).toBeGreaterThan(FRAMES / 10);
  });

  it('cuts noise into frames or refuses it, and never both hangs and holds it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 20 }), (chunks) => {
        const reader = new FrameReader((frame) => readHeader(frame));
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('ends a connection on noise, never hangs it: its calls are always settled', async () => {
    const daemon = await FakeDaemon.start();
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 5 }),
          async (chunks) => {
            daemon.onCall = ({ connection }) => {
              for (const chunk of chunks) connection.socket.write(chunk);
              connection.socket.end();
            };
            const client = await openLibvirt({ socketPath: daemon.socketPath });
            const outcome = await client
              .call('connectGetHostname', {}, { timeoutMs: 5_000 })
              .catch((error: unknown) => error);
            await client.close();
            expect(outcome).toBeInstanceOf(LibvirtTransportError);
            expect(outcome).toMatchObject({ reason: expect.stringMatching(/^(lost|protocol)$/), mayHaveRun: true });
          },
        ),
        { numRuns: 100 },
      );
    } finally {
      await daemon.stop();
    }
  });
});
