import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson } from '../../core/canonical-json.ts';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { type AuditHead, type AuditKind, type AuditRecord, auditHead, auditRecord } from '../../schema/audit.ts';
import type { Json } from '../../schema/common.ts';
import { hasCode, readLines, readTail, readTextIfThere, writeFileAtomic } from '../files/files.ts';
import { withLock } from '../files/lock.ts';
import { headIsSigned, loadAuditKey, publicKeyText, signHead } from './audit-key.ts';

const zeros = '0'.repeat(64);

export interface AuditEntry {
  readonly kind: AuditKind;
  /** The artefact address or answer id it is about. */
  readonly subject: string;
  readonly content: Json;
}

export interface AuditProblem {
  /** The record it is about, or the first of several; null when it is about none. */
  readonly sequence: number | null;
  readonly file: 'log.jsonl' | 'head.json';
  /** The line of `log.jsonl`, counted from 1; null when it is about `head.json` or a line that is not there. */
  readonly line: number | null;
  readonly message: string;
}

export interface AuditVerdict {
  readonly records: number;
  /** Of the last record; worth noting elsewhere, as a witness for the next verification. */
  readonly head: { readonly sequence: number; readonly hash: string } | null;
  readonly publicKey: string | null;
  /** Empty when the log is as it was written. */
  readonly problems: readonly AuditProblem[];
}

/**
 * Adds a record to `<root>/audit/log.jsonl`. When this resolves, the record is on the disk, chained and signed. Safe
 * from several processes at once. What a killed writer left unfinished is finished first.
 * @throws MartletError `audit-broken` when the log does not end as its head says.
 */
export async function appendAudit(
  request: AuditEntry & { readonly root: string; readonly at: Date },
): Promise<AuditRecord> {
  const folder = join(request.root, 'audit');
  await mkdir(folder, { recursive: true });
  return withLock(join(folder, 'lock'), async () => {
    const head = await readHead(folder);
    const key = await loadAuditKey(folder, { mayMake: head === undefined });
    const publicKey = publicKeyText(key);
    if (head !== undefined && head.publicKey !== publicKey)
      throw broken(folder, 'its head was signed with another key');
    const log = await open(join(folder, 'log.jsonl'), 'a+');
    try {
      await finishLast({ folder, log, head });
      const unsealed = {
        sequence: head === undefined ? 0 : head.record.sequence + 1,
        at: request.at.toISOString(),
        kind: request.kind,
        subject: request.subject,
        content: request.content,
        previous: head?.record.hash ?? zeros,
      };
      const record: AuditRecord = { ...unsealed, hash: fingerprint(unsealed) };
      // The head first, holding the whole record: whatever happens next, the record can be written from it.
      const next = signHead({ schema: 'audit-head/1', record, publicKey }, key);
      await writeFileAtomic(join(folder, 'head.json'), `${canonicalJson(next)}\n`);
      await log.appendFile(`${canonicalJson(record)}\n`);
      await log.sync();
      return record;
    } finally {
      await log.close();
    }
  });
}

/** The records in order. @throws MartletError `audit-broken` at a line that is no record. */
export async function* readAudit(root: string): AsyncGenerator<AuditRecord> {
  const folder = join(root, 'audit');
  for await (const { line, bytes, ended } of logLines(folder)) {
    // An unfinished last line was never acknowledged; the next append finishes it from the head.
    if (!ended) return;
    const record = parseRecord(bytes.toString('utf8'));
    if (record === undefined) throw broken(folder, `line ${line} is no audit record`);
    yield record;
  }
}

/**
 * Recomputes the whole chain and compares its end with the signed head. Finds any record that was altered, deleted,
 * inserted or moved. What it cannot see is a log and head put back together to an earlier state, or made anew by who
 * holds the key: for the first give a `witness` noted earlier, for the second the `publicKey` as it was noted.
 */
export async function verifyAudit(request: {
  readonly root: string;
  readonly publicKey?: string;
  readonly witness?: { readonly sequence: number; readonly hash: string };
  /** Is given every record that could be read, in order. */
  readonly visit?: (record: AuditRecord) => void;
}): Promise<AuditVerdict> {
  const folder = join(request.root, 'audit');
  const verify = (): Promise<AuditVerdict> => verifyFolder(folder, request);
  if (!existsSync(folder)) return verify();
  try {
    return await withLock(join(folder, 'lock'), verify);
  } catch (error) {
    // A medium that cannot be written has no writers to wait for.
    if (hasCode(error, 'EROFS', 'EACCES', 'EPERM')) return await verify();
    throw error;
  }
}

async function verifyFolder(folder: string, request: Parameters<typeof verifyAudit>[0]): Promise<AuditVerdict> {
  const problems: AuditProblem[] = [];
  const report = (sequence: number | null, line: number | null, message: string): void => {
    problems.push({ sequence, file: 'log.jsonl', line, message });
  };
  let records = 0;
  let last: AuditRecord | undefined;
  let witnessed = false;
  for await (const { line, bytes, ended } of logLines(folder)) {
    if (!ended) {
      report((last?.sequence ?? -1) + 1, line, 'the last line has no end: a write was interrupted, or the log was cut');
      break;
    }
    const text = bytes.toString('utf8');
    const record = parseRecord(text);
    const expected: number = (last?.sequence ?? -1) + 1;
    if (record === undefined) {
      report(expected, line, 'this line is no audit record');
      continue;
    }
    records++;
    request.visit?.(record);
    const { hash, ...content } = record;
    if (!bytes.equals(Buffer.from(canonicalJson(record))))
      report(record.sequence, line, 'the line is not written as it was recorded');
    if (fingerprint(content) !== hash) report(record.sequence, line, 'the record was altered: its hash is another');
    if (record.sequence > expected) {
      const missing =
        record.sequence === expected + 1
          ? `record ${expected} is`
          : `records ${expected} to ${record.sequence - 1} are`;
      report(expected, line, `${missing} missing before this line`);
    } else if (record.sequence < expected) {
      report(record.sequence, line, `record ${record.sequence} stands after record ${expected - 1}: moved or repeated`);
    } else if (record.previous !== (last?.hash ?? zeros)) {
      const between =
        last === undefined ? 'nothing may stand before it' : `it was made after another record ${last.sequence}`;
      report(record.sequence, line, `the chain is broken before this record: ${between}`);
    }
    if (record.sequence === request.witness?.sequence && hash === request.witness.hash) witnessed = true;
    last = record;
  }
  const head = await verifyHead({ folder, last, problems, publicKey: request.publicKey });
  if (request.witness !== undefined && !witnessed) {
    report(request.witness.sequence, null, 'the record noted as a witness does not stand in the log');
  }
  return {
    records,
    head: last === undefined ? null : { sequence: last.sequence, hash: last.hash },
    publicKey: head?.publicKey ?? null,
    problems,
  };
}

async function verifyHead(request: {
  readonly folder: string;
  readonly last: AuditRecord | undefined;
  readonly problems: AuditProblem[];
  readonly publicKey: string | undefined;
}): Promise<AuditHead | undefined> {
  const { folder, last, problems } = request;
  const report = (file: AuditProblem['file'], sequence: number | null, message: string): void => {
    problems.push({ sequence, file, line: null, message });
  };
  const text = await readTextIfThere(join(folder, 'head.json'));
  if (text === undefined) {
    const key = await readTextIfThere(join(folder, 'key'));
    if (last !== undefined || key !== undefined) report('head.json', null, 'the file is missing');
    return undefined;
  }
  const head = parseHead(text);
  if (head === undefined || text !== `${canonicalJson(head)}\n`) {
    report('head.json', null, 'the file is not as it was written');
    return undefined;
  }
  const { sequence } = head.record;
  if (!headIsSigned(head)) {
    report('head.json', sequence, 'the signature does not hold');
    return head;
  }
  if (request.publicKey !== undefined && head.publicKey !== request.publicKey)
    report('head.json', sequence, 'signed with another key than the one given');
  const next = (last?.sequence ?? -1) + 1;
  if (sequence >= next) {
    const missing = sequence === next ? `record ${next} is` : `records ${next} to ${sequence} are`;
    // Whether a writer was killed or somebody cut exactly this record, nobody can tell; the next append writes it again.
    const kept = sequence === next ? ', but kept in head.json: the next record restores it' : '';
    report('log.jsonl', next, `${missing} missing at the end${kept}`);
  } else if (sequence < next - 1) {
    report('log.jsonl', sequence + 1, 'the log goes on after the signed head: records were added to it');
  } else if (head.record.hash !== last?.hash) {
    report('log.jsonl', sequence, 'the last record is not the one in the signed head');
  }
  return head;
}

/** `log.jsonl:3: the record was altered ...` */
export function formatAuditProblem({ file, line, message }: AuditProblem): string {
  return `${file}${line === null ? '' : `:${line}`}: ${message}`;
}

/** Brings the log to the state its head describes, when no more than the last write is unfinished. */
async function finishLast(request: {
  readonly folder: string;
  readonly log: FileHandle;
  readonly head: AuditHead | undefined;
}): Promise<void> {
  const { folder, log, head } = request;
  const { size } = await log.stat();
  if (head === undefined) {
    if (size > 0) throw broken(folder, 'there are records but no head.json');
    return;
  }
  const line = Buffer.from(`${canonicalJson(head.record)}\n`);
  if (size >= line.length) {
    const end = Buffer.alloc(line.length);
    await log.read(end, 0, end.length, size - line.length);
    if (end.equals(line)) return;
  }
  const torn = await readTail(log, size);
  const whole = size - torn.length;
  const before = whole === 0 ? undefined : parseRecord((await readTail(log, whole - 1)).toString('utf8'));
  const follows = whole === 0 ? head.record.sequence === 0 : before?.hash === head.record.previous;
  if (!follows || !line.subarray(0, torn.length).equals(torn))
    throw broken(folder, `its end is not record ${head.record.sequence}, as head.json says`);
  await log.truncate(whole);
  await log.appendFile(line);
}

async function readHead(folder: string): Promise<AuditHead | undefined> {
  const text = await readTextIfThere(join(folder, 'head.json'));
  if (text === undefined) return undefined;
  const head = parseHead(text);
  if (head === undefined) throw broken(folder, 'head.json is damaged');
  return head;
}

async function* logLines(folder: string): ReturnType<typeof readLines> {
  try {
    yield* readLines(join(folder, 'log.jsonl'));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function parseRecord(text: string): AuditRecord | undefined {
  return auditRecord.safeParse(parseJson(text)).data;
}

function parseHead(text: string): AuditHead | undefined {
  return auditHead.safeParse(parseJson(text)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function broken(folder: string, what: string): MartletError {
  return new MartletError('audit-broken', `the audit log in ${folder} is broken: ${what}`, {
    hint: 'Run `martlet audit verify` to see where. Restore the folder from a backup, or move it away to begin a new log.',
  });
}
