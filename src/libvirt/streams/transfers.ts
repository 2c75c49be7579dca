import type { Libvirt } from '../libvirt.ts';
import type { CallOptions } from '../options.ts';
import type { DomainRef } from '../procedures/items.ts';
import type { ArgsOf } from '../procedures/table.ts';

/** Pieces that arrive one by one or are all there: a file's read stream, an HTTP body, an array. */
export type Source = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Fills a volume. Resolves once libvirt says that all has arrived. @throws as `call` does; part may be written then. */
export async function uploadVolume(
  libvirt: Libvirt,
  args: ArgsOf<'storageVolUpload'>,
  source: Source,
  options?: CallOptions,
): Promise<void> {
  const stream = await libvirt.stream('storageVolUpload', args, options);
  try {
    for await (const piece of source) await stream.write(piece);
    await stream.finish();
  } finally {
    await stream[Symbol.asyncDispose]();
  }
}

/** The bytes of a volume, holes filled with zeros. Leaving the loop early ends the transfer. */
export async function* downloadVolume(
  libvirt: Libvirt,
  args: Omit<ArgsOf<'storageVolDownload'>, 'flags'>,
  options?: CallOptions,
): AsyncGenerator<Uint8Array> {
  const stream = await libvirt.stream('storageVolDownload', args, options);
  for await (const chunk of stream.chunks()) if (!('holeBytes' in chunk)) yield chunk;
}

/** What the guest's screen shows now; `mime` says which kind of picture it is. */
export async function screenshot(
  libvirt: Libvirt,
  dom: DomainRef,
  screen: number,
  options?: CallOptions,
): Promise<{ readonly mime: string; readonly image: Buffer }> {
  const stream = await libvirt.stream('domainScreenshot', { dom, screen }, options);
  const pieces: Uint8Array[] = [];
  for await (const chunk of stream.chunks()) if (!('holeBytes' in chunk)) pieces.push(chunk);
  return { mime: stream.reply.mime ?? 'application/octet-stream', image: Buffer.concat(pieces) };
}
