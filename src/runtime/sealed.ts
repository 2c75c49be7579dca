import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

/** A key pair for sealing, both halves as base64 of DER (public: SPKI, private: PKCS #8). */
export interface SealingKey {
  readonly publicKey: string;
  readonly privateKey: string;
}

const TAG_BYTES = 16;
const NONCE_BYTES = 12;
/** Length of an X25519 public key in SPKI form (RFC 8410): it is put in front of the ciphertext. */
const SPKI_BYTES = 44;

/** Makes a new X25519 key pair. */
export function newSealingKey(): SealingKey {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64'),
  };
}

/**
 * Encrypts bytes so that only the holder of the private half can read them: an ephemeral X25519 exchange, HKDF-SHA-256
 * and AES-256-GCM (the construction of ECIES, as in HPKE's base mode, RFC 9180). Two calls give two different boxes.
 *
 * @param publicKey the receiver's public half
 * @param context what the secret is for; opening needs the same one, so that a box cannot be moved to another place
 * @returns the box, base64
 * @throws Error when the public key is none
 */
export function seal(publicKey: string, plaintext: Buffer, context: string): string {
  const ephemeral = generateKeyPairSync('x25519');
  const sender = ephemeral.publicKey.export({ type: 'spki', format: 'der' });
  const receiver = createPublicKey({ key: Buffer.from(publicKey, 'base64'), type: 'spki', format: 'der' });
  const { key, nonce } = deriveKey(ephemeral.privateKey, receiver, sender, context);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([sender, ciphertext, cipher.getAuthTag()]).toString('base64');
}

/**
 * Opens a box made by {@link seal}.
 * @throws Error when the box was made for another key or context, or was changed
 */
export function openSealed(privateKey: string, box: string, context: string): Buffer {
  const bytes = Buffer.from(box, 'base64');
  if (bytes.length < SPKI_BYTES + TAG_BYTES) {
    throw new Error(`the sealed secret for ${context} is cut short: ${bytes.length} bytes`);
  }
  const sender = bytes.subarray(0, SPKI_BYTES);
  const receiver = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), type: 'pkcs8', format: 'der' });
  try {
    const senderKey = createPublicKey({ key: sender, type: 'spki', format: 'der' });
    const { key, nonce } = deriveKey(receiver, senderKey, sender, context);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(SPKI_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new Error(`the sealed secret for ${context} cannot be opened: it was sealed for another key or changed`, {
      cause,
    });
  }
}

/** A fresh sender key each time makes the derived nonce unique, so that it need not be random. */
function deriveKey(mine: KeyObject, theirs: KeyObject, sender: Buffer, context: string) {
  const shared = diffieHellman({ privateKey: mine, publicKey: theirs });
  const derived = Buffer.from(hkdfSync('sha256', shared, sender, `drover sealed v1 ${context}`, 32 + NONCE_BYTES));
  return { key: derived.subarray(0, 32), nonce: derived.subarray(32) };
}
