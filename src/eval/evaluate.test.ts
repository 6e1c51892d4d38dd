import { describe, expect, it } from 'vitest';
import type { PlanValues } from '../schema/plan.ts';
import { evalSample, report as reportSchema } from '../schema/report.ts';
import type { Sample } from '../schema/sample.ts';
import { fakeSession } from '../testing/fake-session.ts';
import { type EvaluateRunRequest, evaluateRun, spreadEvenly } from './evaluate.ts';
import { reportPage } from './report-page.ts';
import { terminalReport } from './report-terminal.ts';

const closes = [10.5, 20.25, 30, 41.1, 52.2, 63.3];
const reference = (close: number): string => `ABC rose 0.50 to ${close.toFixed(2)}.`;
const samples: Sample[] = closes.map((close, index) => ({
  id: `row-${index}`,
  messages: [
    {
      role: 'user',
      content: JSON.stringify({ symbol: 'ABC', close, previous: close - 0.5, change: 0.5 }) + ' '.repeat(9 - index),
    },
    { role: 'assistant', content: reference(close) },
  ],
  split: 'heldout',
  provenance: { source: 's', file: 'f', line: index + 1, sha256: '0'.repeat(64) },
}));
const encode = (text: string): number[] => [...text].map((character) => character.codePointAt(0) ?? 0);
const promptOf = (sample: Sample): number[] => [
  samples.indexOf(sample),
  ...encode(String(sample.messages[0]?.content)),
];

function setUp(tasks: PlanValues['eval']['tasks'], more: Partial<EvaluateRunRequest> = {}) {
  const session = fakeSession({
    // Tuned is wrong about the third row; base waffles, and about every second row without an end.
    answer: ([row = 0], base) => {
      const close = closes[row] ?? 0;
      if (base) return encode(row % 2 === 0 ? '<b>ABC fell</b> & closed at 1.00.' : 'x'.repeat(200));
      return encode(reference(row === 2 ? close + 1 : close));
    },
    documents: { base: [20, 30, 40], tuned: [2, 3, 4], tokens: [10, 10, 20] },
  });
  let time = 0;
  const request: EvaluateRunRequest = {
    session,
    run: 'demo@1',
    checkpoint: 'step-4',
    samples,
    encodePrompt: promptOf,
    decode: (ids) => String.fromCodePoint(...ids),
    values: { tasks, rows: 64, maxTokens: 100 },
    stopTokens: [2],
    lossCurve: [
      [1, 2],
      [2, 1],
      [3, 0.5],
    ],
    heldOutTokens: [10, 10, 20],
    seed: 42,
    batchRows: 4,
    clock: () => (time += 500),
    ...more,
  };
  return { session, request };
}

describe('evaluateRun', () => {
  it('measures base and tuned on the same rows', async () => {
    const { request } = setUp(['heldout-loss', 'exact-match', 'grounding']);
    const { report, samples: answered } = await evaluateRun(request);
    expect(reportSchema.parse(report)).toEqual(report);
    for (const sample of answered) expect(evalSample.parse(sample)).toEqual(sample);
    const { base, tuned } = report.models;
    expect(base?.heldoutLoss).toMatchObject({ value: 90 / 40, count: 40, interval: 'bootstrap' });
    expect(tuned?.heldoutLoss?.value).toBe(9 / 40);
    expect(tuned?.heldoutLoss?.low).toBeLessThan(9 / 40);
    expect(tuned?.perplexity?.value).toBe(Math.exp(9 / 40));
    expect(base?.grounded).toMatchObject({ value: 0, count: 6, interval: 'wilson' });
    expect(tuned?.grounded).toMatchObject({ value: 5 / 6, count: 6, interval: 'wilson' });
    expect(tuned?.exactMatch?.value).toBe(5 / 6);
    expect(tuned?.contradicted).toMatchObject({ value: 1 / 6, interval: 'bootstrap' });
    expect(base?.contradicted?.value).toBe(1);
    expect(report).toMatchObject({ run: 'demo@1', checkpoint: 'step-4', seconds: 4.5 });
    expect(await evaluateRun(setUp(['heldout-loss', 'exact-match', 'grounding']).request)).toEqual({
      report,
      samples: answered,
    });
  });

  it('keeps answers with their rows although batches go by length', async () => {
    const { session, request } = setUp(['exact-match']);
    const { samples: answered } = await evaluateRun(request);
    expect(answered.map(({ model, id }) => `${model} ${id}`)).toEqual(
      ['base', 'tuned'].flatMap((model) => samples.map(({ id }) => `${model} ${id}`)),
    );
    expect(answered[8]).toMatchObject({ model: 'tuned', id: 'row-2', reference: reference(30), answer: reference(31) });
    expect(answered[1]).toMatchObject({ finishReason: 'length', scores: { answerTokens: 100 } });
    expect(answered[0]?.prompt).toEqual([samples[0]?.messages[0]]);
    expect(session.generated.map(({ prompts, base }) => [prompts.length, base])).toEqual([
      [4, true],
      [2, true],
      [4, false],
      [2, false],
    ]);
    for (const { prompts, sampling } of session.generated) {
      const lengths = prompts.map((prompt) => prompt.length);
      expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
      expect(sampling).toMatchObject({ temperature: 0, maxTokens: 100, stopTokens: [2] });
    }
  });

  it('answers nothing when only the loss is asked for', async () => {
    const { session, request } = setUp(['heldout-loss']);
    const { report, samples: answered } = await evaluateRun(request);
    expect(session.generated).toEqual([]);
    expect(answered).toEqual([]);
    expect(Object.keys(report.models.tuned ?? {})).toEqual(['heldoutLoss', 'perplexity']);
  });

  it('says what is missing, and stops when told', async () => {
    for (const task of ['grounding', 'heldout-loss'] as const)
      await expect(evaluateRun(setUp([task], { samples: [] }).request)).rejects.toMatchObject({
        code: 'nothing-held-out',
      });
    const { request, session } = setUp(['grounding'], { signal: AbortSignal.abort() });
    await expect(evaluateRun(request)).rejects.toMatchObject({ name: 'AbortError' });
    expect(session.generated).toEqual([]);
  });

  it('spreads rows evenly', () => {
    expect(spreadEvenly([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 2, 5, 7]);
    expect(spreadEvenly([1, 2], 4)).toEqual([1, 2]);
  });
});

describe('the reports', async () => {
  const result = await evaluateRun(setUp(['heldout-loss', 'exact-match', 'grounding']).request);

  it('stand side by side in the terminal, failures first, and fit it', () => {
    const text = terminalReport(result, { colour: false, columns: 60 });
    expect(text).toMatch(/Grounded answers +0 % +0–39 +83\.3 % +44–97 +better/);
    expect(text).toMatch(/Held-out loss +2\.25 .*0\.23/);
    expect(text.indexOf('row-2')).toBeGreaterThan(0);
    expect(text).toContain('x 31.00: This is about the close, and close is 30, not 31.00.');
    const answers = text
      .slice(text.indexOf('row row-2'))
      .split('\n')
      .filter((line) => !/[x?] /.test(line));
    for (const line of answers) expect(line.length).toBeLessThanOrEqual(60);
    const coloured = terminalReport(result, { colour: true, columns: 60 });
    expect(coloured).toContain('\u001B[31m\u001B[4m31.00\u001B[24m\u001B[39m');
    // biome-ignore lint/complexity/useRegexLiterals: the escape character reads better written out
    expect(coloured.replace(new RegExp('\\u001B\\[\\d+m', 'g'), '')).toBe(text);
  });

  it('stand in one page that needs nothing else', () => {
    const page = reportPage(result);
    expect(page).not.toMatch(/<script|\b(?:src|href)="(?!data:,)|url\(|@import/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain('&lt;b&gt;');
    expect(page).not.toMatch(/<b>ABC/);
    expect(page.match(/<article/g)).toHaveLength(6);
    expect(page.match(/class="row failed has-contradiction"/g)).toHaveLength(1);
    expect(page).toContain('the 1 where tuned failed');
    expect(page).toMatch(/<mark class="contradicted" tabindex="0" title="contradicted: [^"]+close is 30/);
    // One for each of nine metrics, the loss curve and the lengths.
    expect(page.match(/<svg /g)).toHaveLength(11);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    for (const tag of ['div', 'span', 'mark', 'article', 'section', 'svg', 'g', 'text', 'figure', 'ul', 'li'])
      expect(page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length, tag).toBe(
        page.match(new RegExp(`</${tag}>`, 'g'))?.length,
      );
  });

  it('do without answers, curve and intervals', () => {
    const bare = { report: { ...result.report, lossCurve: [], models: { base: {}, tuned: {} } }, samples: [] };
    expect(reportPage(bare)).not.toMatch(/NaN|undefined|Infinity/);
    expect(terminalReport(bare, { colour: false, columns: 80 })).toContain('demo@1, step-4');
  });
});
