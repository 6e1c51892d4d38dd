import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalJson } from '../core/canonical-json.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Json } from '../schema/common.ts';
import type { Capture } from '../schema/deployment.ts';
import { readAudit, verifyAudit } from '../store/audit/audit-log.ts';
import { appendCapture, captureFile } from '../store/audit/captures.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { buildFeedback, type JudgeRequest, judge, listAnswers, type ReviewedAnswer } from './index.ts';

const at = new Date('2026-01-02T03:04:05Z');
const sheet = '{"symbol":"AAA","close":12.5,"previousClose":10,"change":2.5,"direction":"up"}';
const question: Json = { messages: [{ role: 'user', content: sheet }], temperature: 0 };

let root: string;
let store: Store;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'martlet-review-'));
  store = await openStore({ root, clock: () => at, who: 'tester', code: { version: '0', revision: null } });
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function capture(id: string, over: Partial<Capture> = {}): Promise<void> {
  const request = over.request ?? question;
  const taken: Capture = {
    schema: 'capture/1',
    id,
    at: at.toISOString(),
    deployment: 'brief@1',
    deploymentFingerprint: 'd'.repeat(64),
    model: 'brief',
    modelFingerprint: 'e'.repeat(64),
    planHash: null,
    requestDigest: fingerprint(request),
    request,
    promptTokens: 1,
    completionTokens: 1,
    answer: 'AAA closed at 13.5, up from 10.',
    finishReason: 'stop',
    seconds: 1,
    ...over,
  };
  await appendCapture({ root, capture: taken, at });
}

const decide = (over: Partial<JudgeRequest>): ReturnType<typeof judge> =>
  judge({ store, answer: 'a1', verdict: 'approve', by: 'Ada', madeBy: 'person', at, ...over });

async function answers(options: { readonly unreviewed?: boolean } = {}): Promise<ReviewedAnswer[]> {
  const found: ReviewedAnswer[] = [];
  for await (const answer of listAnswers(root, options)) found.push(answer);
  return found;
}

const rowsOf = async (folder: string, file: string): Promise<unknown[]> =>
  (await readFile(join(folder, file), 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe('judge', () => {
  test('stands in the audit log whole, with the claims that were not supported', async () => {
    await capture('a1');
    const { judgement: made, replaced } = await decide({
      verdict: 'edit',
      text: ' AAA closed at 12.5, up from 10. ',
      reason: 'wrong close',
    });
    expect(replaced).toBeNull();
    expect(made).toEqual({
      schema: 'judgement/1',
      answer: 'a1',
      verdict: 'edit',
      text: 'AAA closed at 12.5, up from 10.',
      reason: 'wrong close',
      by: 'Ada',
      madeBy: 'person',
      unsupported: ['13.5'],
    });
    const records = [];
    for await (const record of readAudit(root)) records.push(record);
    expect(records.at(-1)).toMatchObject({ kind: 'judgement', subject: 'a1', content: made, at: at.toISOString() });
    expect((await verifyAudit({ root })).problems).toEqual([]);
  });

  test('says everything that is wrong at once', async () => {
    await capture('a1');
    const messageOf = (over: Partial<JudgeRequest>): Promise<string> =>
      decide(over).then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    expect(await messageOf({ verdict: 'reject', by: ' ', text: 'x' })).toMatch(
      /3 problems(.|\n)*by:(.|\n)*text:(.|\n)*reason:/,
    );
    expect(await messageOf({ verdict: 'edit' })).toMatch(/text: the edited text is empty/);
    expect(await messageOf({ verdict: 'edit', text: 'AAA closed at 13.5, up from 10.\n' })).toMatch(
      /Approve it instead/,
    );
    expect(await messageOf({ answer: 'a2' })).toMatch(/no captured answer a2/);
    expect((await answers())[0]?.judged).toBeNull();
  });

  test('an answer that was altered cannot be judged, and does not stand in the way of others', async () => {
    await capture('a1');
    await capture('a2');
    const file = captureFile(root, 'brief@1');
    const [first, second] = (await readFile(file, 'utf8')).split('\n');
    await writeFile(file, `${first?.replace('13.5', '99.5')}\n${second}\n`);
    await expect(decide({})).rejects.toMatchObject({ code: 'capture-changed' });
    await decide({ answer: 'a2' });
    expect((await answers()).map(({ problem, judged }) => [problem?.code, judged?.judgement.verdict])).toEqual([
      ['capture-changed', undefined],
      [undefined, 'approve'],
    ]);
    expect((await buildFeedback({ store, name: 'desk' })).lineage.facts).toMatchObject({ approved: 1 });
  });

  test('an earlier judgement is left alone unless it is to be replaced, and then both stay in the log', async () => {
    await capture('a1');
    await capture('a2', { deployment: 'other@1' });
    const edit = await decide({ verdict: 'edit', text: 'AAA closed at 12.5.', by: 'Bo' });
    const [first, second] = await Promise.allSettled([decide({}), decide({ verdict: 'reject', reason: 'stale' })]);
    for (const refused of [first, second])
      expect(refused).toMatchObject({
        reason: {
          code: 'already-judged',
          message: 'answer a1 is judged already: edit by Bo, 2026-01-02 03:04 UTC, "AAA closed at 12.5."',
          hint: expect.stringContaining('--replace'),
        },
      });
    expect((await answers())[0]?.judged).toEqual({ judgement: edit.judgement, at: at.toISOString() });
    const rejected = await decide({ verdict: 'reject', reason: 'stale', replace: true });
    expect(rejected.replaced).toEqual({ judgement: edit.judgement, at: at.toISOString() });
    expect((await answers()).map(({ judged }) => judged?.judgement.verdict)).toEqual(['reject', undefined]);
    expect((await answers({ unreviewed: true })).map((answer) => answer.capture.id)).toEqual(['a2']);
    const verdicts = [];
    for await (const { kind, content } of readAudit(root)) if (kind === 'judgement') verdicts.push(content);
    expect(verdicts).toEqual([edit.judgement, rejected.judgement]);
  });

  test('of two who judge the same answer at once, one is told of the other', async () => {
    await capture('a1');
    const both = await Promise.allSettled([
      decide({ by: 'Ada' }),
      decide({ by: 'Bo', verdict: 'edit', text: 'Better.' }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('feedback', () => {
  test('approved and edited answers become rows, edits preference rows too', async () => {
    const tools = [{ type: 'function', function: { name: 'quote' } }];
    await capture('a1');
    await capture('a2', { answer: 'AAA closed at 12.5, up from 10.', request: { ...(question as object), tools } });
    await capture('a3');
    await capture('a4');
    await decide({
      answer: 'a1',
      verdict: 'edit',
      text: 'AAA closed at 12.5.',
      madeBy: 'quickstart',
      by: 'quickstart',
    });
    await decide({ answer: 'a2' });
    await decide({ answer: 'a3', verdict: 'reject', reason: 'wrong' });
    const made = await buildFeedback({ store, name: 'desk' });
    expect(made.address).toBe('desk@1');
    expect(made.folder).toBe(join(root, 'feedback', 'desk@1'));
    const user = { role: 'user', content: sheet };
    const facts = JSON.parse(sheet);
    expect(await rowsOf(made.folder, 'rows.jsonl')).toEqual([
      {
        messages: [user, { role: 'assistant', content: 'AAA closed at 12.5.' }],
        facts,
        martlet: { by: 'quickstart', answer: 'a1' },
      },
      {
        messages: [user, { role: 'assistant', content: 'AAA closed at 12.5, up from 10.' }],
        tools,
        facts,
        martlet: { by: 'person', answer: 'a2' },
      },
    ]);
    expect(await rowsOf(made.folder, 'preference.jsonl')).toEqual([
      {
        prompt: [user],
        chosen: [{ role: 'assistant', content: 'AAA closed at 12.5.' }],
        rejected: [{ role: 'assistant', content: 'AAA closed at 13.5, up from 10.' }],
        martlet: { by: 'quickstart', answer: 'a1' },
      },
    ]);
    const { inputs, facts: remembered } = made.lineage;
    expect(inputs).toEqual([{ kind: 'deployment', address: 'brief@1', fingerprint: 'd'.repeat(64) }]);
    expect(remembered).toMatchObject({ approved: 1, edited: 1, rejected: 1, audit: { sequence: 6 } });
    expect(await store.verify(made)).toEqual([]);
    const records = [];
    for await (const record of readAudit(root)) records.push(record);
    expect(records.at(-1)).toMatchObject({
      kind: 'feedback',
      subject: 'feedback/desk@1',
      content: { fingerprint: made.lineage.fingerprint },
    });
  });

  test('the same judgements give the same dataset, another one a new version', async () => {
    await capture('a1');
    await expect(buildFeedback({ store, name: 'desk' })).rejects.toMatchObject({ code: 'nothing-approved' });
    await decide({});
    expect((await buildFeedback({ store, name: 'desk' })).address).toBe('desk@1');
    expect((await buildFeedback({ store, name: 'desk' })).address).toBe('desk@1');
    await decide({ verdict: 'edit', text: 'Better.', replace: true });
    expect((await buildFeedback({ store, name: 'desk' })).address).toBe('desk@2');
  });

  test('a judged answer that was altered afterwards is refused', async () => {
    await capture('a1');
    await decide({});
    const file = captureFile(root, 'brief@1');
    const altered = { ...JSON.parse(await readFile(file, 'utf8')), answer: 'Buy AAA.' };
    await writeFile(file, `${canonicalJson(altered)}\n`);
    await expect(buildFeedback({ store, name: 'desk' })).rejects.toMatchObject({ code: 'capture-changed' });
  });
});
