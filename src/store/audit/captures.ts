import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { canonicalJson } from '../../core/canonical-json.ts';
import { MartletError } from '../../core/error.ts';
import { fingerprint } from '../../core/fingerprint.ts';
import { nearestName } from '../../core/nearest.ts';
import { type Capture, capture as captureSchema } from '../../schema/deployment.ts';
import { appendLineDurable, hasCode, readJsonLines, readLines } from '../files/files.ts';
import { withLock } from '../files/lock.ts';
import { appendAudit, readAudit } from './audit-log.ts';

/** A capture and where it stands. */
export interface CapturePlace {
  readonly capture: Capture;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Whether the line is, byte for byte, what this capture is written as. */
  readonly asWritten: boolean;
}

/** `<root>/captures/<deployment>.jsonl` */
export function captureFile(root: string, deployment: string): string {
  return join(root, 'captures', `${deployment}.jsonl`);
}

/**
 * Keeps an answer that was given, and records its fingerprint in the audit log. When this resolves, both are on the disk.
 * Safe from several processes at once.
 */
export async function appendCapture(request: {
  readonly root: string;
  readonly capture: Capture;
  readonly at: Date;
}): Promise<void> {
  const capture = captureSchema.parse(request.capture);
  const file = captureFile(request.root, capture.deployment);
  await mkdir(dirname(file), { recursive: true });
  await withLock(`${file}.lock`, () => appendLineDurable(file, canonicalJson(capture)));
  await appendAudit({
    root: request.root,
    at: request.at,
    kind: 'capture',
    subject: capture.id,
    content: { deployment: capture.deployment, fingerprint: fingerprint(capture) },
  });
}

/**
 * The captured answers of one deployment, or of all by deployment, in the order they were given.
 * @throws MartletError `capture-broken` at a line that is no capture.
 */
export async function* readCaptures(root: string, deployment?: string): AsyncGenerator<CapturePlace> {
  const files = deployment === undefined ? await captureFiles(join(root, 'captures')) : [captureFile(root, deployment)];
  for (const file of files) {
    try {
      for await (const { line, bytes, value } of readJsonLines(file)) {
        const read = captureSchema.safeParse(value);
        if (!read.success) throw new MartletError('capture-broken', `${file}:${line} is no captured answer`);
        const asWritten = bytes.equals(Buffer.from(canonicalJson(read.data)));
        yield { capture: read.data, file, line, asWritten };
      }
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
}

/** @throws MartletError `answer-missing`, naming the nearest id there is. */
export async function findCapture(root: string, answerId: string): Promise<CapturePlace> {
  const known: string[] = [];
  for await (const place of readCaptures(root)) {
    if (place.capture.id === answerId) return place;
    known.push(place.capture.id);
  }
  const near = nearestName(answerId, known);
  throw new MartletError('answer-missing', `there is no captured answer ${answerId} in ${root}`, {
    hint: near === undefined ? '`martlet review --list` shows the answers there are.' : `Did you mean ${near}?`,
  });
}

/**
 * Holds every captured answer against the audit log. Gives what is wrong, with file and line: altered, not recorded,
 * repeated, or recorded and gone. The log itself is for `verifyAudit`.
 */
export async function verifyCaptures(root: string): Promise<readonly string[]> {
  const recorded = new Map<string, unknown>();
  for await (const { kind, subject, content } of readAudit(root)) {
    if (kind === 'capture') recorded.set(subject, recordedCapture.safeParse(content).data?.fingerprint);
  }
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const file of await captureFiles(join(root, 'captures'))) {
    for await (const { line, bytes, ended } of readLines(file)) {
      const place = `${file}:${line}`;
      const capture = ended ? parseCapture(bytes.toString('utf8')) : undefined;
      if (capture === undefined) {
        problems.push(`${place} is no whole captured answer`);
        continue;
      }
      const { id } = capture;
      const known = recorded.get(id);
      if (!bytes.equals(Buffer.from(canonicalJson(capture))))
        problems.push(`${place} is not written as it was captured`);
      if (known === undefined) problems.push(`${place} (${id}) is not recorded in the audit log`);
      else if (known !== fingerprint(capture)) problems.push(`${place} (${id}) was altered: the audit log has another`);
      if (seen.has(id)) problems.push(`${place} (${id}) is there twice`);
      seen.add(id);
    }
  }
  for (const id of recorded.keys())
    if (!seen.has(id)) problems.push(`answer ${id} is recorded in the audit log and gone`);
  return problems;
}

const recordedCapture = z.object({ fingerprint: z.string() });

function parseCapture(text: string): Capture | undefined {
  try {
    return captureSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function captureFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder, { recursive: true });
    return names
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
