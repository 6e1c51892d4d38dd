import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from './canonical-json.ts';

/** sha-256 of a document's canonical JSON, in lower-case hex. Runs in the browser too; files are hashed in `store`. */
export function fingerprint(document: unknown): string {
  return fingerprintText(canonicalJson(document));
}

export function fingerprintText(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}
