import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeTinyModel } from '../testing/tiny-model.ts';
import { runMartlet } from './test-context.ts';

/** A step of a person's own that hangs on more than the row: what no build can know. */
const step = `
export const step = {
  name: 'fickle',
  version: 1,
  options: { safeParse: () => ({ success: true, data: {} }) },
  open: () => ({ kind: 'rows', apply: (sample) => globalThis.fickle?.(sample) ?? null }),
};
`;

const row = (n: number): string =>
  JSON.stringify({
    messages: [
      { role: 'user', content: `q ${n}` },
      { role: 'assistant', content: `a ${n}` },
    ],
  });

interface Said {
  messages: { content: string }[];
}

function setFickle(apply?: (sample: Said) => object | null): void {
  (globalThis as { fickle?: unknown }).fickle = apply;
}

async function folder(): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'forecast-'));
  onTestFinished(() => {
    rmSync(cwd, { recursive: true });
    setFickle();
  });
  await writeTinyModel(join(cwd, 'tiny'), { seed: 1 });
  await writeFile(join(cwd, 'step.mjs'), step);
  await writeFile(join(cwd, 'a.jsonl'), [1, 2, 3, 4, 5, 6, 7, 8].map(row).join('\n'));
  await writeFile(join(cwd, 'b.jsonl'), [11, 12, 13].map(row).join('\n'));
  const recipe =
    'name: a\nbase: tiny\ndata:\n  sources: [{from: a.jsonl}, {from: b.jsonl}]\n  steps: [{module: step.mjs}]\n  split: {share: 0}\n';
  await writeFile(join(cwd, 'recipe.yaml'), recipe);
  return cwd;
}

const martlet = (cwd: string, ...argv: readonly string[]) =>
  runMartlet([...argv], { cwd, env: { MARTLET_STORE: join(cwd, 'store'), MARTLET_HOME: join(cwd, 'home') } });

test('a dataset that holds other rows than its sources give is an error, source by source', async () => {
  const cwd = await folder();
  expect(await martlet(cwd, 'data', 'build', 'recipe.yaml')).toMatchObject({ exit: 0 });
  setFickle(({ messages }) =>
    messages[0]?.content === 'q 12' ? { drop: { fate: 'filtered', code: 'gone', reason: 'gone' } } : null,
  );
  const { exit, err } = await martlet(cwd, 'data', 'build', 'recipe.yaml');
  expect(exit).toBe(1);
  expect(err).toMatch(/^error dataset a@1: not what its sources give/m);
  expect(err).toMatch(/^ {2}\S*b\.jsonl: 3 rows to train on, where 2 were counted \[forecast-differs\]$/m);
  expect(err).not.toContain('a.jsonl: ');
  // A name of its own takes nothing from what was built before.
  expect((await martlet(cwd, 'data', 'build', 'recipe.yaml', '--set', 'name=b')).exit).toBe(0);
});

test('shards that hold other tokens than their sources give are an error', async () => {
  const cwd = await folder();
  expect(await martlet(cwd, 'shard', 'recipe.yaml')).toMatchObject({ exit: 0 });
  setFickle((sample) => {
    const [question, answer] = sample.messages;
    if (question?.content !== 'q 3') return null;
    return { sample: { ...sample, messages: [question, { ...answer, content: 'a longer answer' }] } };
  });
  const { exit, err } = await martlet(cwd, 'shard', 'recipe.yaml');
  expect(exit).toBe(1);
  expect(err).toMatch(/^error shards a@1: not what its sources give/m);
  expect(err).toMatch(/a\.jsonl: \d+ tokens, where \d+ were counted\n.*a\.jsonl: \d+ learned tokens, where \d+/);
  expect(err).not.toContain('rows to train on');
});

test.each([
  [
    'datasets',
    'new dataset',
    { drop: { fate: 'filtered', code: 'gone', reason: 'gone' } },
    /a\.jsonl: 7 rows to train on, where 8/,
  ],
  ['shards', 'new shards', null, /a\.jsonl: \d+ tokens, where \d+ were counted\n.* learned tokens, where/],
])('what differs when it is made becomes no version: %s', async (kind, made, done, told) => {
  const cwd = await folder();
  let looks = 0;
  setFickle((sample) => {
    const [question, answer] = sample.messages;
    // Rows are counted first, then tokens.
    if (question?.content !== 'q 5' || ++looks <= 2) return null;
    return done ?? { sample: { ...sample, messages: [question, { ...answer, content: 'a longer answer' }] } };
  });
  const { exit, err } = await martlet(cwd, 'shard', 'recipe.yaml');
  expect(exit).toBe(1);
  expect(err).toContain(`error ${made}: not what its sources give, read just now:`);
  expect(err).toMatch(told);
  expect((await readdir(join(cwd, 'store', kind))).filter((name) => name.includes('@'))).toEqual([]);
});
