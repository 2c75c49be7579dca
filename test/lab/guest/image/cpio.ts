/**
 * How does a tree of files become an initramfs?
 *
 * As a cpio archive in the "newc" format that the kernel describes in Documentation/driver-api/early-userspace/
 * buffer-format.rst. Owner root, time zero: the same tree is always the same archive.
 */
export type CpioEntry =
  | { readonly type: 'folder'; readonly path: string }
  | { readonly type: 'file'; readonly path: string; readonly executable: boolean; readonly content: Buffer }
  | { readonly type: 'link'; readonly path: string; readonly target: string }
  | { readonly type: 'character device'; readonly path: string; readonly major: number; readonly minor: number };

interface Header {
  readonly inode: number;
  readonly mode: number;
  readonly major?: number;
  readonly minor?: number;
}

const MAGIC = '070701';
const ALIGNMENT = 4;
const MODE = { folder: 0o040_755, file: 0o100_644, program: 0o100_755, link: 0o120_777, device: 0o020_600 } as const;

/** @param entries each folder before what it holds; paths relative to the root, without a leading slash. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, index) => member(entry, index + 1));
  return Buffer.concat([...members, encode({ inode: 0, mode: 0 }, 'TRAILER!!!', Buffer.alloc(0))]);
}

function member(entry: CpioEntry, inode: number): Buffer {
  switch (entry.type) {
    case 'folder':
      return encode({ inode, mode: MODE.folder }, entry.path, Buffer.alloc(0));
    case 'file':
      return encode({ inode, mode: entry.executable ? MODE.program : MODE.file }, entry.path, entry.content);
    case 'link':
      return encode({ inode, mode: MODE.link }, entry.path, Buffer.from(entry.target));
    case 'character device':
      return encode({ inode, mode: MODE.device, major: entry.major, minor: entry.minor }, entry.path, Buffer.alloc(0));
  }
}

function encode({ inode, mode, major = 0, minor = 0 }: Header, path: string, content: Buffer): Buffer {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, mtime, size, device major/minor, rdev major/minor, name length, checksum (unused).
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join(''));
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(content)]);
}

function padded(bytes: Buffer): Buffer {
  const missing = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
