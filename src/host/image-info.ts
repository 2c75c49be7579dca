import * as z from 'zod';

/** What `qemu-img info --output=json` says of an image. */
export interface ImageInfo {
  /** As QEMU detected it (or was told): `qcow2`, `raw`, `vmdk`, ... */
  format: string;
  /** Size that a guest would see, in bytes. */
  virtualSizeBytes: number;
  /** Space taken in the file system, in bytes. */
  allocatedBytes: number;
  /** Absent: none. */
  backingFile?: string;
  /** File outside of the image that holds its data. Absent: none. */
  dataFile?: string;
  encrypted: boolean;
  /** The image itself says that it is damaged. */
  corrupt: boolean;
}

/** Source: QEMU's QAPI schema, ImageInfo and ImageInfoSpecificQCow2. */
const Json = z.object({
  format: z.string(),
  'virtual-size': z.number().min(0),
  'actual-size': z.number().min(0).default(0),
  'backing-filename': z.string().optional(),
  'full-backing-filename': z.string().optional(),
  encrypted: z.boolean().default(false),
  'format-specific': z
    .object({
      data: z
        .object({
          'data-file': z.string().optional(),
          corrupt: z.boolean().default(false),
          encrypt: z.unknown().optional(),
        })
        .default({ corrupt: false }),
    })
    .optional(),
});

/** @throws when the text is not what qemu-img prints. */
export function parseImageInfo(json: string): ImageInfo {
  const info = Json.parse(JSON.parse(json));
  const specific = info['format-specific']?.data;
  const backingFile = info['backing-filename'] ?? info['full-backing-filename'];
  const dataFile = specific?.['data-file'];
  return {
    format: info.format,
    virtualSizeBytes: info['virtual-size'],
    allocatedBytes: info['actual-size'],
    ...(backingFile !== undefined && { backingFile }),
    ...(dataFile !== undefined && { dataFile }),
    encrypted: info.encrypted || specific?.encrypt !== undefined,
    corrupt: specific?.corrupt ?? false,
  };
}
