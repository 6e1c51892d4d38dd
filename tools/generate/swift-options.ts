/** An option of ms-swift's data handling, and how it is written here. */
export interface SwiftOption {
  /** What it belongs to. */
  readonly part: (typeof optionParts)[number];
  readonly theirs: string;
  readonly ours: string;
  /** The test that holds it: a file, and words of the test's title. */
  readonly test: { readonly file: string; readonly title: string };
}

export const optionParts = ['sources', 'columns', 'from rows to batches', 'token weights', 'agent templates'] as const;

const test = (file: string, title: string): SwiftOption['test'] => ({ file, title });
const sources = (title: string) => test('src/data/swift-sources.test.ts', title);
const rows = (title: string) => test('src/data/read-sources.test.ts', title);
const shards = (title: string) => test('src/shard/build-shards.test.ts', title);
const documents = (title: string) => test('src/shard/documents.test.ts', title);
const learn = (title: string) => test('src/render/learn-rules.test.ts', title);

/** One row an option, in the order of ms-swift's documentation. Every test that is named must be there. */
export const swiftOptions: readonly SwiftOption[] = [
  {
    part: 'sources',
    theirs: 'jsonl, json, csv (an empty text stays one), txt (one row a line)',
    ours: '`data.sources[].from`, also Parquet, TSV, Markdown, `.gz` and `.zst`; `textRows: line` for one row a line.',
    test: sources('jsonl, json, csv with an empty text kept'),
  },
  {
    part: 'sources',
    theirs: 'a folder',
    ours: '`from: folder` or a pattern: its files, by name.',
    test: sources('a folder is its files, by name'),
  },
  {
    part: 'sources',
    theirs: '`#n` below the size',
    ours: '`from: rows.jsonl#500`, or `sample: 500`: drawn without putting back, by `data.seed`.',
    test: sources('#n below the size draws'),
  },
  {
    part: 'sources',
    theirs: '`#n` above the size',
    ours: 'The same: all rows as often as it goes, and some once more.',
    test: sources('#n above the size takes all rows'),
  },
  {
    part: 'sources',
    theirs: '`#n` of a stream: the first n rows',
    ours: '`data.sources[].limit: n`',
    test: rows('a limit counts rows from the start'),
  },
  {
    part: 'sources',
    theirs: '`--interleave_prob`, `--stopping_strategy`; else one after the other',
    ours: '`data.mix: interleave` with `weight` in each source, and `data.mixStop: first-exhausted | all-exhausted`.',
    test: sources('sources follow one another, or are mixed'),
  },
  {
    part: 'sources',
    theirs: '`--dataset_shuffle`',
    ours: '`data.steps: [{ step: shuffle, seed: 42 }]`; the order of training is shuffled anyway.',
    test: sources('rows are shuffled by a seed'),
  },
  {
    part: 'sources',
    theirs: 'self-cognition with `--model_name` and `--model_author`',
    ours: '`data.steps: [{ step: self-cognition, modelName: ..., author: ... }]`; `{ en, zh }` for two languages.',
    test: sources('told who the model is, by steps'),
  },
  {
    part: 'columns',
    theirs: 'automatic column mapping',
    ours: 'The same names are read (see query and response); two that could both be meant are an error, not a choice.',
    test: rows('two columns that both ask'),
  },
  {
    part: 'columns',
    theirs: '`--columns \'{"a": "query"}\'`',
    ours: '`data.sources[].columns: { a: query }`',
    test: rows('columns are read under the names the recipe gives them'),
  },
  {
    part: 'columns',
    theirs: '`--disable_auto_column_mapping`',
    ours: '`data.sources[].format`: the format is not guessed; `columns`: of two names that could both be meant, the one that is named.',
    test: rows('decides, when the recipe says it'),
  },
  {
    part: 'columns',
    theirs: 'AutoPreprocessor: the first match wins',
    ours: 'Two readings that differ are an error that shows both; `data.sources[].format` decides.',
    test: rows('is not guessed when a row has two readings'),
  },
  {
    part: 'columns',
    theirs: '`--remove_unused_columns`',
    ours: 'Columns that are not read are kept in `extra`, where scorers find them; `martlet data inspect` names them.',
    test: rows('other columns go where they belong'),
  },
  {
    part: 'columns',
    theirs: '`ROOT_IMAGE_DIR`',
    ours: '`data.sources[].media`; the folder of the file of the row when absent.',
    test: rows('media are looked for in the folder the recipe names'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--strict`: bad rows are dropped unless it is true',
    ours: 'Bad rows are named and counted; a run starts only when they are within `data.budget.dropped` (0 unless set).',
    test: test('src/data/build-dataset.test.ts', 'is refused when it loses more than the budget'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--split_dataset_ratio`',
    ours: '`data.split.share`, by a stable hash; `data.split.by` keeps what belongs together on one side.',
    test: test('src/data/split.test.ts', 'is held out, to within chance'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--val_dataset`',
    ours: 'A source whose rows have a value of `data.split.by` that `data.split.heldOut` names.',
    test: test('src/data/split.test.ts', 'holds out the values named'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--data_seed`, `--train_dataloader_shuffle`',
    ours: '`train.seed` decides the order of each pass.',
    test: test('src/shard/schedule.test.ts', 'the order is a function of the seed'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--max_length`',
    ours: '`render.lengthTokens`; a longer row is refused by name unless `render.overflow` says otherwise.',
    test: shards('are refused by name, with the length that would keep them'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy delete`',
    ours: '`render.overflow: drop`, within `data.budget.dropped`.',
    test: shards('are dropped within the budget only'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy left`',
    ours: '`render.overflow: truncate-prompt`, within `data.budget.truncated`; an answer is never cut by it.',
    test: shards('lose the front of their prompt, never of their answer'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy right`',
    ours: '`render.overflow: truncate-answer`, within `data.budget.truncated`: the one choice that cuts answers.',
    test: documents('their answers are cut where the recipe says so'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy split`',
    ours: '`render.overflow: split`, for plain text; pieces overlap by a token, so that each is learned once.',
    test: documents('a long text is split'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--packing`, `--padding_free`, `--packing_strategy`',
    ours: 'Rows are always packed without padding, and never see one another; `train.packing: best-fit | sequential | none`.',
    test: test('src/shard/pack.test.ts', 'each item once, packs within capacity'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--group_by_length`',
    ours: '`train.groupByLength`',
    test: test('src/shard/schedule.test.ts', 'groupByLength brings rows of like length'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--streaming`, with `--max_steps` and a shuffle buffer',
    ours: '`execution.shardsGiB`: shards within so much disk. Rows are counted and shuffled as ever, so that neither `train.maxSteps` nor a buffer is needed, and the result is the same.',
    test: test('src/shard/windows.test.ts', 'are the packs that would have been stored'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--cached_dataset`, `--load_from_cache_file`',
    ours: 'Datasets and shards are kept in the store by what they are made from, and found again.',
    test: shards('are the same files for the same seed'),
  },
  {
    part: 'from rows to batches',
    theirs: '`swift pt`: no chat template, everything learned',
    ours: 'Rows of plain text (`format: text`); a conversation in which only the assistant speaks is one too.',
    test: test('src/render/plain.test.ts', 'a plain text is learned whole'),
  },
  {
    part: 'token weights',
    theirs: '`--loss_scale default`, `last_round`, `all`',
    ours: '`render.learn`, by the same names; `default` is `assistant`.',
    test: learn('turns, by name'),
  },
  {
    part: 'token weights',
    theirs:
      'ignore_empty_think, ignore_think_prefix, react, hermes, qwen, agentflan, alpha_umi; joined by `+`, weights multiply',
    ours: '`render.learn: last_round+hermes+ignore_empty_think`: the same names, marks and weights.',
    test: learn('weights of answers, by name'),
  },
  {
    part: 'token weights',
    theirs: 'a JSON file of literals and patterns with weights',
    ours: '`render.weights: [{ match, weight, after }]`',
    test: learn('weights of answers, by name'),
  },
  {
    part: 'token weights',
    theirs: '`loss` and `loss_scale` of a message',
    ours: 'The same in rows, or `learn` and `weight`; they win over `render.learn`.',
    test: test('src/render/encode-sample.test.ts', 'what is learned'),
  },
  {
    part: 'agent templates',
    theirs: 'all 36 of 4.6: react_en, qwen_en, hermes, toolbench, llama3, glm4_5, deepseek_v3_1, kimi_k25 ...',
    ours: "`render.agent`, by the same names, with the same text. Needed where the model's own template has no place for tools.",
    test: test('src/render/agent/agent.test.ts', 'every format that ms-swift has is here'),
  },
];
