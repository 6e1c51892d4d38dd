import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fingerprint } from '../../core/fingerprint.ts';
import type { Capture } from '../../schema/deployment.ts';
import { verifyAudit } from './audit-log.ts';
import { appendCapture, captureFile, findCapture, readCaptures, verifyCaptures } from './captures.ts';

const at = new Date('2026-01-02T03:04:05Z');
let root: string;
let file: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'martlet-captures-'));
  file = captureFile(root, 'desk/brief@1');
});
afterEach(() => rm(root, { recursive: true, force: true }));

const captureOf = (id: string, deployment = 'desk/brief@1'): Capture => ({
  schema: 'capture/1',
  id,
  at: at.toISOString(),
  deployment,
  deploymentFingerprint: 'd'.repeat(64),
  model: 'brief',
  modelFingerprint: 'e'.repeat(64),
  planHash: null,
  requestDigest: fingerprint({}),
  request: {},
  promptTokens: 1,
  completionTokens: 1,
  answer: 'Größe: 12\n',
  finishReason: 'stop',
  seconds: 1,
});
const add = (id: string, deployment?: string): Promise<void> =>
  appendCapture({ root, capture: captureOf(id, deployment), at });

test('many at once are all kept, found by id, and recorded', async () => {
  await Promise.all(Array.from({ length: 12 }, (_, i) => add(`a${i}`, `brief@${(i % 2) + 1}`)));
  const ids: string[] = [];
  for await (const { capture, asWritten } of readCaptures(root)) {
    expect(asWritten).toBe(true);
    ids.push(capture.id);
  }
  expect(ids.sort()).toEqual(Array.from({ length: 12 }, (_, i) => `a${i}`).sort());
  expect(await findCapture(root, 'a7')).toMatchObject({ capture: captureOf('a7', 'brief@2') });
  await expect(findCapture(root, 'b7')).rejects.toMatchObject({ code: 'answer-missing' });
  expect(await verifyCaptures(root)).toEqual([]);
  expect(await verifyAudit({ root })).toMatchObject({ records: 12, problems: [] });
});

test('a line that was not finished is cut before the next is written', async () => {
  await add('a1');
  await appendFile(file, '{"schema":"capture/1","id":"a2');
  await add('a3');
  expect(await verifyCaptures(root)).toEqual([]);
  await expect(findCapture(root, 'a2')).rejects.toThrow();
});

test('what was altered, inserted, repeated or removed is named with its place', async () => {
  for (const id of ['a1', 'a2', 'a3']) await add(id);
  const [first = '', second = '', third = ''] = (await readFile(file, 'utf8')).split('\n');
  const inserted = first.replace('"a1"', '"x"');
  await writeFile(file, [first, first, inserted, third.replace('12', '13'), `${second.slice(0, 40)}`, ''].join('\n'));
  expect(await verifyCaptures(root)).toEqual([
    `${file}:2 (a1) is there twice`,
    `${file}:3 (x) is not recorded in the audit log`,
    `${file}:4 (a3) was altered: the audit log has another`,
    `${file}:5 is no whole captured answer`,
    'answer a2 is recorded in the audit log and gone',
  ]);
});
