/** What an image file says of itself. */
export interface ImageFacts {
  readonly format: string;
  readonly virtualSizeBytes: number;
  readonly backingFile?: string | undefined;
  readonly dataFile?: string | undefined;
  readonly encrypted: boolean;
  readonly corrupt: boolean;
}

export type ImageRefusal =
  | 'BackingFile'
  | 'ExternalDataFile'
  | 'Encrypted'
  | 'Corrupt'
  | 'UnsupportedFormat'
  | 'FormatMismatch'
  | 'Empty'
  | 'TooLarge';

export type ImageVerdict =
  | { readonly ok: true; readonly format: 'qcow2' | 'raw' }
  | { readonly ok: false; readonly reason: ImageRefusal; readonly message: string };

/** vSphere's largest disk is 62 TiB; a header that claims more is a mistake or an attack on the datastore. */
export const MAX_DISK_BYTES = 64 * 2 ** 40;

/**
 * Whether Volumes may be cloned from an image. What refers to another file could make the host read any file of its own
 * into a guest's disk (CVE-2008-1945 and its successors), so such images are refused, not cleaned.
 * @param path for the message, and its extension: a `.qcow2` that is something else is a broken download, a `.raw` that
 *   has a header is not what its owner believes.
 */
export function judgeImage(path: string, facts: ImageFacts): ImageVerdict {
  if (facts.backingFile !== undefined) {
    return refuse('BackingFile', path, `needs the backing file ${facts.backingFile}; flatten it: ${CONVERT}`);
  }
  if (facts.dataFile !== undefined) {
    return refuse('ExternalDataFile', path, `keeps its data in ${facts.dataFile}; make one file of it: ${CONVERT}`);
  }
  if (facts.encrypted) return refuse('Encrypted', path, 'is encrypted; decrypt it with qemu-img convert');
  if (facts.corrupt) return refuse('Corrupt', path, 'is marked corrupt; repair it with qemu-img check -r all');
  if (facts.format !== 'qcow2' && facts.format !== 'raw') {
    return refuse('UnsupportedFormat', path, `is ${facts.format}, and only qcow2 and raw are supported: ${CONVERT}`);
  }
  const extension = /\.(qcow2|raw)$/.exec(path)?.[1];
  if (extension !== undefined && extension !== facts.format) {
    return refuse(
      'FormatMismatch',
      path,
      `is not ${extension} but ${facts.format}; copy it anew or give it its right name`,
    );
  }
  if (facts.virtualSizeBytes === 0) return refuse('Empty', path, 'holds a disk of 0 bytes; copy it anew');
  if (facts.virtualSizeBytes > MAX_DISK_BYTES) {
    return refuse(
      'TooLarge',
      path,
      `holds a disk of ${facts.virtualSizeBytes} bytes; at most ${MAX_DISK_BYTES} (64 TiB) work`,
    );
  }
  return { ok: true, format: facts.format };
}

const CONVERT = 'qemu-img convert -O qcow2 <image> <new image>';

function refuse(reason: ImageRefusal, path: string, why: string): ImageVerdict {
  return { ok: false, reason, message: `${path} ${why}` };
}
