import { describe, expect, test } from 'vitest';
import { formatIssue, type Issue } from '../core/issue.ts';
import { planHash } from '../core/plan-hash.ts';
import { sft } from '../methods/sft.ts';
import type { Plan } from '../schema/plan.ts';
import { deriveCheckpointEvery } from './derive.ts';
import type { Facts } from './facts.ts';
import { readRecipe } from './read-recipe.ts';
import { resolvePlan } from './resolve-plan.ts';
import { exampleFacts, smallModel } from './testing/example-facts.ts';

const plain = 'name: a\nbase: hf:org/model\ndata: {sources: [{from: rows.jsonl}]}\n';

function resolve(flags: readonly string[], facts: Facts = {}, { text = plain, walked = [] as readonly string[] } = {}) {
  const read = readRecipe({ text, file: 'recipe.yaml', flags });
  if (!read.ok) throw new Error(read.issues.map(formatIssue).join('\n'));
  return resolvePlan({ ...read.value, facts, walked, resolvePath: (path) => `/recipes/${path}` });
}

function planWith(flags: readonly string[], facts: Facts = {}): Plan {
  const plan = resolve(flags, facts);
  if (!plan.ok) throw new Error(plan.issues.map(formatIssue).join('\n'));
  return plan.value;
}

function issuesWith(flags: readonly string[], facts: Facts = {}): readonly Issue[] {
  const plan = resolve(flags, facts);
  return plan.ok ? plan.warnings : plan.issues;
}

/** Three rows that are too long, and so many that become no document. */
const longRows = (lost: number): Facts => ({
  ...exampleFacts,
  rows: { train: 384, heldout: 64, lost: { fates: { train: 384, heldout: 64 }, byCode: {}, issues: [] } },
  tokens: {
    ...{ train: 76_800, learned: 25_000, longest: 230, lost },
    tooLong: { rows: 3, longest: { place: 'rows.jsonl:7', tokens: 2100 } },
  },
});

const codes = (issues: readonly Issue[]): readonly string[] =>
  issues.map(({ code, severity }) => `${severity} ${code}`);

describe('values', () => {
  test('paths become absolute, addresses stay', () => {
    const plan = planWith(['base=[hf:a/b, pypi:c, models/d, e.gguf]', 'data.sources[1].from=feedback/desk@3']);
    expect(plan.values.base).toEqual(['hf:a/b', 'pypi:c', '/recipes/models/d', '/recipes/e.gguf']);
    expect(plan.values.data.sources.map(({ from }) => from)).toEqual(['/recipes/rows.jsonl', 'feedback/desk@3']);
    expect(planWith(['render.template=chat.jinja']).values.render.template).toBe('/recipes/chat.jinja');
    expect(planWith([]).values.render.template).toBe('model');
  });

  test('defaults that depend on others say on what', () => {
    const lora = planWith(['adapter.rank=8']);
    expect(lora.values.adapter).toMatchObject({ rank: 8, alpha: 16 });
    expect(lora.values.train.learningRate).toBe(2e-4);
    expect(lora.origins['adapter.alpha']).toEqual({ origin: 'derived', reason: 'twice the rank' });
    const full = planWith(['adapter.kind=full']);
    expect(full.values.train.learningRate).toBe(1e-5);
    expect(full.values.export.formats).toEqual(['safetensors']);
    expect(full.origins['export.formats']).toEqual({ origin: 'derived', reason: 'full fine-tuning makes no adapter' });
    const held = planWith(['data.split={by: year, heldOut: ["2024"]}']);
    expect(held.values.data.split).toEqual({ by: 'year', heldOut: ['2024'], share: null });
  });

  test('length is the model limit, at most 2048', () => {
    const short = { model: { ...smallModel, max_position_embeddings: 512 } };
    expect(planWith([], short).values.render.lengthTokens).toBe(512);
    expect(planWith([], short).origins['render.lengthTokens']?.origin).toBe('model');
    expect(planWith([], { model: smallModel }).values.render.lengthTokens).toBe(2048);
    expect(planWith([]).origins['render.lengthTokens']).toMatchObject({ origin: 'derived' });
  });

  test('the loss is the method, as data', () => {
    const plan = planWith([]);
    expect(plan.loss).toEqual(sft.loss({}));
    expect(plan.hash).toBe(planHash(JSON.parse(JSON.stringify(plan)) as Plan));
  });
});

describe('execution', () => {
  const engine = (facts: Facts, ...flags: string[]): string => {
    const { execution } = planWith(flags, facts);
    return `${execution.engine}: ${execution.engineReason}`;
  };

  test('the engine is picked by what it can do, and says why', () => {
    expect(engine(exampleFacts)).toBe('embedded: no accelerator; dense LlamaForCausalLM of 0.13 B parameters');
    expect(engine({})).toBe('embedded: no accelerator; the model is not known yet');
    expect(engine({ model: { ...smallModel, parameters: 7e9 } })).toMatch(/^torch: 7.0 B parameters are too many/);
    expect(engine({ model: { ...smallModel, architecture: 'MixtralForCausalLM' } })).toMatch(
      /^torch: .*MixtralForCausalLM/,
    );
    const machine = { cores: 8, memoryGiB: 64, platform: 'linux-x64', accelerator: 'NVIDIA H100' };
    expect(engine({ model: smallModel, machine })).toBe('torch: there is an accelerator: NVIDIA H100');
    expect(engine({ model: smallModel, machine }, 'execution.engine=embedded')).toBe('embedded: asked for');
  });

  test('a pack fills the processor and holds the longest row', () => {
    const pack = (facts: Facts, ...flags: string[]): number => planWith(flags, facts).execution.packTokens;
    const rows = (longest: number): Facts => ({ ...exampleFacts, tokens: { train: 1e5, learned: 1e4, longest } });
    expect(pack({})).toBe(512);
    expect(pack(rows(230))).toBe(512);
    expect(pack(rows(1900))).toBe(1920);
    expect(pack(rows(600))).toBe(640);
    expect(pack(rows(700), 'train.packTokens=900')).toBe(900);
  });

  test('checkpoints come ten times a run, at most 100 steps apart where these are of unknown length', () => {
    const every = (rows: number): unknown =>
      planWith([], { rows: { train: rows, heldout: 9 } }).execution.checkpointEvery;
    expect(every(16)).toBe(1);
    expect(every(384)).toBe(3);
    expect(every(1e6)).toBe(100);
    expect(planWith([]).execution.checkpointEvery).toBe('unknown');
  });

  test('else no more often than every 30 s, and at least every 15 minutes', () => {
    const every = (steps: number, trainSeconds: number): unknown =>
      deriveCheckpointEvery({ steps, trainSeconds }).value;
    expect(every(1000, 5000)).toBe(100);
    expect(every(30, 75)).toBe(12);
    expect(every(8, 20)).toBe(8);
    expect(every(1000, 60_000)).toBe(15);
    expect(every(10, 20_000)).toBe(1);
    expect(every(1e6, 1e4)).toBe(90_000);
  });
});

describe('predictions', () => {
  test('with all facts, all are known', () => {
    const { predictions } = planWith([], exampleFacts);
    expect(predictions).toMatchObject({ rows: 384, steps: 24, tokens: 76_800, learnedTokens: 25_000 });
    expect(predictions.trainableParameters).toBe(4_884_480);
    expect(predictions.trainSeconds).toBeGreaterThan(200);
    expect(predictions.trainSeconds).toBeLessThan(300);
  });

  test('time follows passes, and a limit on steps', () => {
    const seconds = (...flags: string[]): number => Number(planWith(flags, exampleFacts).predictions.trainSeconds);
    expect(seconds('train.epochs=2') / seconds()).toBeCloseTo(2, 6);
    expect(seconds('train.maxSteps=12') / seconds()).toBeCloseTo(0.5, 6);
  });

  test('of steps that end within a pass, it is said how much of the pass they come to', () => {
    const reasons = (...flags: string[]) => {
      const { origins, predictions } = planWith(flags, exampleFacts);
      const { rows, tokens, learnedTokens } = predictions;
      expect([rows, tokens, learnedTokens]).toEqual([384, 76_800, 25_000]);
      return (['rows', 'tokens', 'learnedTokens'] as const).map((name) => origins[`predictions.${name}`]?.reason);
    };
    for (const flag of ['train.maxSteps=6', 'train.epochs=0.25'])
      expect(reasons(flag)).toEqual([
        'of a pass, 96 of them learned in 6 steps, 64 held out; every row read',
        'every row encoded, one pass; about 19,200 of them in 6 steps',
        '33 % of all; about 6,250 of them in 6 steps',
      ]);
    for (const flag of ['train.maxSteps=24', 'train.maxSteps=30', 'train.epochs=2'])
      expect(reasons(flag)[0]).toBe('learned, 64 held out; every row read');
  });

  test('memory of an engine that was never measured is unknown', () => {
    expect(planWith(['execution.engine=torch'], exampleFacts).predictions.peakMemoryGiB).toBe('unknown');
  });
});

describe('what facts forbid', () => {
  const model = (changes: Partial<typeof smallModel>): Facts => ({
    ...exampleFacts,
    model: { ...smallModel, ...changes },
  });

  test.each<[string, readonly string[], Facts, readonly string[]]>([
    ['rows longer than the model', ['render.lengthTokens=9000'], exampleFacts, ['error longer-than-model']],
    ['answers longer than the model', ['eval.maxTokens=8192'], exampleFacts, ['warning longer-than-model']],
    ['a row that does not fit', ['render.lengthTokens=100'], longRows(0), ['error row-too-long']],
    ['a row that may be cut', ['render.lengthTokens=100', 'render.overflow=truncate-prompt'], longRows(0), []],
    [
      'a row that is dropped, and may not be lost',
      ['render.lengthTokens=100', 'render.overflow=drop'],
      longRows(3),
      ['warning loss-budget'],
    ],
    [
      'a row that may be lost',
      ['render.lengthTokens=100', 'render.overflow=drop', 'data.budget.dropped=0.01'],
      longRows(3),
      [],
    ],
    [
      'an architecture that cannot be GGUF',
      ['export.formats=[gguf]'],
      model({ architecture: 'MixtralForCausalLM' }),
      ['error gguf-unsupported'],
    ],
    [
      'an engine that does not know the model',
      ['execution.engine=embedded'],
      model({ architecture: 'MixtralForCausalLM' }),
      ['error engine-unsupported'],
    ],
    ['no row to train on', [], { rows: { train: 0, heldout: 5 } }, ['error nothing-to-train']],
    [
      'no row held out',
      [],
      { rows: { train: 5, heldout: 0 } },
      ['warning nothing-held-out', 'warning step-larger-than-data'],
    ],
    [
      'no row held out, and none needed',
      ['eval.tasks=[]', 'export.formats=[]'],
      { rows: { train: 50, heldout: 0 } },
      [],
    ],
    ['too little memory', ['execution.memoryGiB=0.5'], exampleFacts, ['warning memory-short']],
    ['more than the machine has', ['execution.memoryGiB=99'], exampleFacts, ['warning more-memory-than-there-is']],
    ['more threads than cores', ['execution.threads=9'], exampleFacts, ['warning more-threads-than-cores']],
    ['a pack smaller than a row', ['train.packTokens=100'], exampleFacts, ['warning pack-smaller-than-row']],
    ['measuring after the end', ['train.evalEvery=25'], exampleFacts, ['warning no-effect']],
    ['a rate no adapter is trained with', ['train.learningRate=2e4'], exampleFacts, ['warning learning-rate-high']],
    [
      'a rate for adapters, of all weights',
      ['adapter.kind=full', 'train.learningRate=1e-3', 'export.formats=["safetensors"]'],
      exampleFacts,
      ['warning learning-rate-high'],
    ],
    ['a high rate of an adapter', ['train.learningRate=1e-2'], exampleFacts, []],
    ['only warm-up', ['train.warmup=0.99', 'train.maxSteps=3'], exampleFacts, ['warning only-warmup']],
    [
      'an end that a constant schedule never reaches',
      ['train.schedule=constant', 'train.minLearningRate=1e-5'],
      {},
      ['warning no-effect'],
    ],
    [
      'a weight and an end of mixing where nothing is mixed',
      ['data.sources[0].weight=2', 'data.mixStop=all-exhausted'],
      {},
      ['warning no-effect', 'warning no-effect'],
    ],
    ['a weight where sources are mixed', ['data.sources[0].weight=2', 'data.mix=interleave'], {}, []],
  ])('%s', (_, flags, facts, expected) => {
    expect(codes(issuesWith(flags, facts))).toEqual(expected);
  });

  test.each<[string, readonly string[], readonly string[], string]>([
    ['a plan', [], [], 'warning'],
    ['training', [], ['plan', 'data', 'shard', 'train'], 'warning'],
    ['measuring', [], ['train', 'eval'], 'error'],
    ['an export', [], ['train', 'export'], 'error'],
    ['an export, of a recipe that measures nothing', ['eval.tasks=[]'], ['train', 'export'], 'error'],
    ['measuring, of a recipe that measures nothing', ['eval.tasks=[]'], ['train', 'eval'], 'warning'],
    ['measuring while it trains', ['train.evalEvery=1'], ['train'], 'error'],
  ])('rows that are all learned, for %s', (_, flags, walked, severity) => {
    const found = resolve(['data.split.share=0', ...flags], {}, { walked });
    expect(codes(found.ok ? found.warnings : found.issues)).toEqual([`${severity} nothing-held-out`]);
  });

  test('rows that cannot be used are told of by a plan that is looked at, and refuse one that is walked', () => {
    const issue = {
      code: 'empty-answer',
      severity: 'error',
      path: ['answer'],
      message: 'the answer is empty.',
    } as const;
    const lost = {
      ...{ fates: { train: 40, heldout: 2, invalid: 1, filtered: 9 }, byCode: { 'empty-answer': 1 } },
      issues: [{ ...issue, place: { file: 'rows.jsonl', line: 7, column: 1 } }],
    };
    const facts: Facts = { rows: { train: 40, heldout: 2, lost } };
    expect(codes(issuesWith([], facts))).toEqual(['warning rows-unusable']);
    const walked = (...flags: readonly string[]) => resolve(flags, facts, { walked: ['data', 'shard'] });
    const refused = walked();
    expect(!refused.ok && refused.issues.map(formatIssue)).toEqual([
      'recipe.yaml:3:17 data.sources: 1 of 43 rows cannot be used (1 empty-answer); the budget allows 0 % (not counted: 9 filtered). ' +
        'Mend the rows, or allow the loss: data.budget.dropped: 0.0233.\n    rows.jsonl:7:1 answer: the answer is empty. [empty-answer] [loss-budget]',
    ]);
    // Of others a build tells itself.
    const allowed = walked('data.budget.dropped=0.1');
    expect(allowed.ok && allowed.warnings).toEqual([]);
  });

  test('warnings are kept in the plan, with their place', () => {
    const [warning] = planWith(['execution.threads=9'], exampleFacts).warnings;
    expect(warning).toBe(
      '--set:1:19 execution.threads: 9 threads on 2 cores run slower than 2. [more-threads-than-cores]',
    );
  });
});

test('of rows that are too long the longest is named, with its tokens and what may be chosen', () => {
  const [issue] = issuesWith([], longRows(0));
  expect(issue).toMatchObject({
    path: ['render', 'lengthTokens'],
    message:
      '3 rows are too long, rows.jsonl:7 with 2100 tokens the most, where 2048 tokens (the default) are allowed.',
  });
  expect(issue?.fix).toMatch(
    /^Write render\.lengthTokens: 2100, or choose render\.overflow: drop \(loses them.*truncate-answer/,
  );
});

test('rows that become no document are taken off rows and steps', () => {
  const { predictions, origins } = planWith(['render.overflow=drop', 'data.budget.dropped=0.9'], longRows(70));
  expect(predictions).toMatchObject({ rows: 314, steps: 20 });
  expect(origins['predictions.rows']?.reason).toBe('learned, 64 held out; every row read, 70 lost as tokens');
});
