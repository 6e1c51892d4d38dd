#!/usr/bin/env node
/**
 * Verifies an audit log away from the machine that wrote it: `node verify-audit.ts <audit folder> [public key]`.
 *
 * Stands alone on purpose: it shares no line with the code that writes the log, so a mistake there is not repeated here,
 * and it can be read in one sitting. Ends with 0 when the log is whole, with 1 when it is not.
 *
 * - each line of `log.jsonl` is the canonical JSON (RFC 8785) of a record, ended by a line feed
 * - `sequence` counts from 0; `previous` is the `hash` of the record before, zeros for the first
 * - `hash` is the sha-256 of the canonical JSON of the record without `hash`
 * - `head.json` holds the last record, signed with Ed25519 over the canonical JSON of the rest of that document
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
type Fields = { [key: string]: Value };

const [folder, expectedKey] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('usage: verify-audit <audit folder> [public key]\n');
  process.exit(2);
}

const problems: string[] = [];
const log = existsSync(join(folder, 'log.jsonl')) ? readFileSync(join(folder, 'log.jsonl')) : Buffer.alloc(0);
let previous = '0'.repeat(64);
let sequence = 0;
let line = 0;
for (let start = 0; start < log.length; ) {
  line++;
  const end = log.indexOf(0x0a, start);
  const bytes = log.subarray(start, end < 0 ? log.length : end);
  start += bytes.length + 1;
  const record = end < 0 ? undefined : parse(bytes);
  if (record === undefined) {
    problems.push(`line ${line}: no whole record`);
    continue;
  }
  const { hash, ...rest } = record;
  if (!bytes.equals(Buffer.from(canonical(record)))) problems.push(`line ${line}: not in canonical form`);
  if (sha256(canonical(rest)) !== hash) problems.push(`line ${line}: the record does not have the hash it states`);
  if (record.sequence !== sequence) problems.push(`line ${line}: record ${record.sequence} where ${sequence} belongs`);
  if (record.previous !== previous) problems.push(`line ${line}: does not follow the record before`);
  previous = String(hash);
  sequence = Number(record.sequence) + 1;
}

const headFile = join(folder, 'head.json');
const head = existsSync(headFile) ? parse(readFileSync(headFile)) : undefined;
if (head === undefined) problems.push('head.json: missing or damaged');
else {
  const { signature, ...signed } = head;
  const { hash } = head.record as Fields;
  if (readFileSync(headFile, 'utf8') !== `${canonical(head)}\n`) problems.push('head.json: not in canonical form');
  if (!isSigned(signed, String(signature))) problems.push('head.json: the signature does not hold');
  if (expectedKey !== undefined && head.publicKey !== expectedKey) problems.push('head.json: signed with another key');
  if (hash !== previous) problems.push('head.json: its record is not the last one of the log');
}

for (const problem of problems) process.stdout.write(`${problem}\n`);
process.stdout.write(`${line} records, ${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function isSigned(signed: Fields, signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(String(signed.publicKey), 'base64'), format: 'der', type: 'spki' });
    const bytes = Buffer.from(signature, 'base64');
    return bytes.toString('base64') === signature && verify(null, Buffer.from(canonical(signed)), key, bytes);
  } catch {
    return false;
  }
}

function canonical(value: Value): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`).join(',')}}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function parse(bytes: Buffer): Fields | undefined {
  try {
    const value = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
