import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { join } from 'node:path';
import { canonicalJson } from '../../core/canonical-json.ts';
import { MartletError } from '../../core/error.ts';
import type { AuditHead } from '../../schema/audit.ts';
import { readTextIfThere, writeFileAtomic } from '../files/files.ts';

/** The Ed25519 key (RFC 8032) that signs the head of the audit log; made on first use, readable by its owner alone. */
export async function loadAuditKey(folder: string, options: { readonly mayMake: boolean }): Promise<KeyObject> {
  const file = join(folder, 'key');
  const text = await readTextIfThere(file);
  if (text !== undefined) {
    try {
      return createPrivateKey(text);
    } catch (error) {
      throw new MartletError('audit-key-broken', `${file} is not a private key`, { hint: restoreHint, cause: error });
    }
  }
  if (!options.mayMake)
    throw new MartletError('audit-key-missing', `${file} is gone, so the audit log cannot go on`, {
      hint: restoreHint,
    });
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFileAtomic(file, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  return privateKey;
}

const restoreHint = 'Restore it from a backup, or move the whole audit folder away to begin a new log.';

/** The public half as it stands in `head.json`: base64 of its DER form. */
export function publicKeyText(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).toString('base64');
}

export function signHead(head: Omit<AuditHead, 'signature'>, key: KeyObject): AuditHead {
  return { ...head, signature: sign(null, Buffer.from(canonicalJson(head)), key).toString('base64') };
}

/** Whether the head was signed by the key it names. */
export function headIsSigned({ signature, ...head }: AuditHead): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(head.publicKey, 'base64'), format: 'der', type: 'spki' });
    // base64 reads leniently: only the one way of writing counts, so that no byte can change unnoticed.
    const bytes = Buffer.from(signature, 'base64');
    return bytes.toString('base64') === signature && verify(null, Buffer.from(canonicalJson(head)), key, bytes);
  } catch {
    return false;
  }
}
