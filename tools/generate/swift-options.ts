import { agentFormats } from '../../src/schema/agent-formats.ts';

/** An option of ms-swift's data handling, and how it is written here. */
export interface SwiftOption {
  /** What it belongs to. */
  readonly part: (typeof optionParts)[number];
  readonly theirs: string;
  readonly ours: string;
  /** What a recipe says for it, in YAML: built, rows to shards, by `tests/e2e/from-ms-swift.test.ts`. */
  readonly recipe?: string;
  /** Where there is no such thing here: what is refused when it is written all the same. */
  readonly refused?: string;
  /** The test that holds it: a file, and words of the test's title. */
  readonly test: { readonly file: string; readonly title: string };
}

export const optionParts = ['sources', 'columns', 'from rows to batches', 'token weights', 'agent templates'] as const;

const test = (file: string, title: string): SwiftOption['test'] => ({ file, title });
const sources = (title: string) => test('src/data/swift-sources.test.ts', title);
const format = (title: string) => test('src/data/recognise-format.test.ts', title);
const shards = (title: string) => test('src/shard/build-shards.test.ts', title);
const documents = (title: string) => test('src/shard/documents.test.ts', title);
const learn = (title: string) => test('src/render/learn-rules.test.ts', title);

/** One row an option, in the order of ms-swift's documentation. Every test that is named must be there. */
export const swiftOptions: readonly SwiftOption[] = [
  {
    part: 'sources',
    theirs: 'jsonl, json, csv (an empty text stays one), txt (one row a line)',
    ours: '`data.sources[].from`, also Parquet, TSV, Markdown, `.gz` and `.zst`; `textRows: line` for one row a line.',
    recipe: 'data: { sources: [{ from: rows.jsonl }, { from: tickets.csv.gz }, { from: book.txt, textRows: line }] }',
    test: sources('jsonl, json, csv with an empty text kept'),
  },
  {
    part: 'sources',
    theirs: 'a folder',
    ours: '`from: folder` or a pattern: its files, by name.',
    recipe: 'data: { sources: [{ from: folder }, { from: folder/part-*.jsonl }] }',
    test: sources('a folder is its files, by name'),
  },
  {
    part: 'sources',
    theirs: 'a data set of a hub: `hf::id`, `ms::id`, `--use_hf`',
    ours: '`from: hf:org/name@revision` or `modelscope:org/name`; `hf::` and `ms::` are read too.',
    recipe: 'data: { sources: [{ from: hf:org/name@main:en }] }',
    test: test('src/models/fetch-hub-dataset.test.ts', 'a subset of Hugging Face is fetched'),
  },
  {
    part: 'sources',
    theirs: '`:subset1/subset2`, `:all`',
    ours: 'The same, in one source: `from: hf:org/name:subset1/subset2#500` draws from all of them. The last word may be a split, `:en/de/test`; one that may be either is refused with both readings, and what is not there is named with what is.',
    recipe: 'data: { sources: [{ from: "hf:org/name:en/fr#20" }, { from: modelscope:org/name:fr/train }] }',
    test: test(
      'src/store/rows/open-parts.test.ts',
      'several subsets follow one another as they are named, and all are every file of the split',
    ),
  },
  {
    part: 'sources',
    theirs: '`dataset_info.json` and the data sets registered in it',
    ours: 'No list of names: a source is an address, and what was registered (columns, subset, split) stands beside it in the recipe.',
    recipe: 'data: { sources: [{ from: hf:org/name:de, columns: { ask: query, tell: response }, licence: mit }] }',
    test: format('columns are read under the names the recipe gives them'),
  },
  {
    part: 'sources',
    theirs: '`--custom_dataset_info`, `register_dataset`',
    ours: 'A module beside the recipe that exports `defineSource(...)`; see [sources](sources.md).',
    recipe: 'data: { sources: [{ from: ./own-source.mjs, options: { rows: 20 } }] }',
    test: test('src/store/rows/open-parts.test.ts', 'gives rows, is told its options'),
  },
  {
    part: 'sources',
    theirs: '`#n` below the size',
    ours: '`from: rows.jsonl#500`, or `sample: 500`: drawn without putting back, by `data.seed`.',
    recipe: 'data: { sources: [{ from: rows.jsonl#9 }] }',
    test: sources('#n below the size draws'),
  },
  {
    part: 'sources',
    theirs: '`#n` above the size',
    ours: 'The same: all rows as often as it goes, and some once more.',
    recipe: 'data: { sources: [{ from: rows.jsonl, sample: 40 }] }',
    test: sources('#n above the size takes all rows'),
  },
  {
    part: 'sources',
    theirs: '`#n` of a stream: the first n rows',
    ours: '`data.sources[].limit: n`',
    recipe: 'data: { sources: [{ from: rows.jsonl, limit: 9 }] }',
    test: test('src/data/read-sources.test.ts', 'a limit counts rows from the start'),
  },
  {
    part: 'sources',
    theirs: '`--interleave_prob`, `--stopping_strategy`; else one after the other',
    ours: '`data.mix: interleave` with `weight` in each source, and `data.mixStop: first-exhausted | all-exhausted`.',
    recipe:
      'data: { sources: [{ from: rows.jsonl, weight: 0.7 }, { from: folder, weight: 0.3 }], mix: interleave, mixStop: all-exhausted }',
    test: sources('sources follow one another, or are mixed'),
  },
  {
    part: 'sources',
    theirs: 'weights of data sets: only by `#n` or `interleave_prob`',
    ours: 'Also a step: `sample` by `weights`, or by a `temperature` over the sizes of the sources.',
    recipe:
      'data: { sources: [{ from: rows.jsonl }, { from: folder }], steps: [{ step: sample, temperature: 2, rows: 16 }] }',
    test: test('src/data/steps/steps.test.ts', 'sampling'),
  },
  {
    part: 'sources',
    theirs: '`--dataset_shuffle`',
    ours: '`data.steps: [{ step: shuffle, seed: 42 }]`; the order of training is shuffled anyway.',
    recipe: 'data: { steps: [{ step: shuffle, seed: 42 }] }',
    test: sources('rows are shuffled by a seed'),
  },
  {
    part: 'sources',
    theirs: 'self-cognition with `--model_name` and `--model_author`',
    ours: '`data.steps: [{ step: self-cognition, modelName: ..., author: ... }]`; `{ en, zh }` for two languages.',
    recipe:
      'data: { sources: [{ from: self.jsonl }], steps: [{ step: self-cognition, modelName: { en: Swift, zh: 燕 }, author: us }] }',
    test: sources('told who the model is, by steps'),
  },
  {
    part: 'columns',
    theirs: 'automatic column mapping',
    ours: 'The same names are read (see query and response); two that could both be meant are an error, not a choice.',
    test: format('two columns that both ask'),
  },
  {
    part: 'columns',
    theirs: '`--columns \'{"a": "query"}\'`',
    ours: '`data.sources[].columns: { a: query }`',
    recipe: 'data: { sources: [{ from: questions.jsonl, columns: { Frage: query, Antwort: response } }] }',
    test: format('columns are read under the names the recipe gives them'),
  },
  {
    part: 'columns',
    theirs: '`--disable_auto_column_mapping`',
    ours: '`data.sources[].format`: the format is not guessed; `columns`: of two names that could both be meant, the one that is named.',
    recipe: 'data: { sources: [{ from: rows.jsonl, format: messages }] }',
    test: format('decides, when the recipe says it'),
  },
  {
    part: 'columns',
    theirs: 'AutoPreprocessor: the first match wins',
    ours: 'Two readings that differ are an error that shows both; `data.sources[].format` decides.',
    recipe: 'data: { sources: [{ from: both.jsonl, format: alpaca }] }',
    test: format('is not guessed when a row has two readings'),
  },
  {
    part: 'columns',
    theirs: '`--remove_unused_columns`',
    ours: 'Columns that are not read are kept in `extra`, where scorers find them; `martlet data inspect` names them.',
    test: test('src/data/read-row.test.ts', 'other columns go where they belong'),
  },
  {
    part: 'columns',
    theirs: '`ROOT_IMAGE_DIR`',
    ours: '`data.sources[].media`; the folder of the file of the row when absent.',
    recipe: 'data: { sources: [{ from: rows.jsonl, media: folder }] }',
    test: format('media are looked for in the folder the recipe names'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--strict`: bad rows are dropped unless it is true',
    ours: 'Bad rows are named and counted; a run starts only when they are within `data.budget.dropped` (0 unless set).',
    recipe: 'data: { sources: [{ from: spoilt.jsonl }], budget: { dropped: 0.05 } }',
    test: test('src/data/build-dataset.test.ts', 'is refused when it loses more than the budget'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--split_dataset_ratio`',
    ours: '`data.split.share`, by a stable hash; `data.split.by` keeps what belongs together on one side.',
    recipe: 'data: { split: { share: 0.2, by: topic } }',
    test: test('src/data/split.test.ts', 'is held out, to within chance'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--val_dataset`',
    ours: 'A source whose rows have a value of `data.split.by` that `data.split.heldOut` names.',
    recipe: 'data: { split: { by: topic, heldOut: [birds] } }',
    test: test('src/data/split.test.ts', 'holds out the values named'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--data_seed`, `--train_dataloader_shuffle`',
    ours: '`train.seed` decides the order of each pass.',
    recipe: 'train: { seed: 7 }',
    test: test('src/shard/schedule.test.ts', 'the order is a function of the seed'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--max_length`',
    ours: '`render.lengthTokens`; a longer row is refused by name unless `render.overflow` says otherwise.',
    recipe: 'render: { lengthTokens: 300 }',
    test: shards('are refused by name, with the length that would keep them'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy delete`',
    ours: '`render.overflow: drop`, within `data.budget.dropped`.',
    recipe:
      'data: { sources: [{ from: long.jsonl }], budget: { dropped: 0.2 } }\nrender: { lengthTokens: 64, overflow: drop }',
    test: shards('are dropped within the budget only'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy left`',
    ours: '`render.overflow: truncate-prompt`, within `data.budget.truncated`; an answer is never cut by it.',
    recipe:
      'data: { sources: [{ from: long.jsonl }], budget: { truncated: 0.2 } }\nrender: { lengthTokens: 64, overflow: truncate-prompt }',
    test: shards('lose the front of their prompt, never of their answer'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy right`',
    ours: '`render.overflow: truncate-answer`, within `data.budget.truncated`: the one choice that cuts answers.',
    recipe:
      'data: { sources: [{ from: lengthy.jsonl }], budget: { truncated: 0.2 } }\nrender: { lengthTokens: 64, overflow: truncate-answer }',
    test: documents('their answers are cut where the recipe says so'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--truncation_strategy split`',
    ours: '`render.overflow: split`, for plain text; pieces overlap by a token, so that each is learned once.',
    recipe:
      'data: { sources: [{ from: book.txt, textRows: file }, { from: rows.jsonl }] }\nrender: { lengthTokens: 128, overflow: split }',
    test: documents('a long text is split'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--packing`, `--padding_free`, `--packing_strategy`',
    ours: 'Rows are always packed without padding, and never see one another; `train.packing: best-fit | sequential | none`.',
    recipe: 'train: { packing: sequential }',
    test: test('src/shard/pack.test.ts', 'each item once, packs within capacity'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--group_by_length`',
    ours: '`train.groupByLength`',
    recipe: 'train: { groupByLength: true }',
    test: test('src/shard/schedule.test.ts', 'groupByLength brings rows of like length'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--streaming`, with `--max_steps` and a shuffle buffer',
    ours: '`execution.diskGiB`: shards within so much disk. Rows are counted and shuffled as ever, so that neither `train.maxSteps` nor a buffer is needed, and the result is the same.',
    recipe: 'execution: { diskGiB: 1 }',
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
    theirs: 'encoding: eager or lazy (`--lazy_tokenize`), a row that fails replaced by another',
    ours: 'Each row is encoded once, before the first step, and kept; a row that fails is named and counted, and nothing takes its place.',
    refused: 'train: { lazyTokenize: true }',
    test: shards('are refused by name, with the length that would keep them'),
  },
  {
    part: 'from rows to batches',
    theirs: '`--sequence_parallel_size`',
    ours: 'There is none: a row is computed on one device.',
    refused: 'train: { sequenceParallel: 2 }',
    test: test('src/shard/pack.test.ts', 'each item once, packs within capacity'),
  },
  {
    part: 'from rows to batches',
    theirs: '`swift pt`: no chat template, everything learned',
    ours: 'Rows of plain text (`format: text`); a conversation in which only the assistant speaks is one too.',
    recipe: 'data: { sources: [{ from: book.txt, format: text, textRows: line }] }',
    test: test('src/render/plain.test.ts', 'a plain text is learned whole'),
  },
  {
    part: 'token weights',
    theirs: '`--loss_scale default`, `last_round`, `all`',
    ours: '`render.learn`, by the same names; `default` is `assistant`.',
    recipe: 'render: { learn: last_round }',
    test: learn('turns, by name'),
  },
  {
    part: 'token weights',
    theirs:
      'ignore_empty_think, ignore_think_prefix, react, hermes, qwen, agentflan, alpha_umi; joined by `+`, weights multiply',
    ours: '`render.learn: last_round+hermes+ignore_empty_think`: the same names, marks and weights.',
    recipe: 'render: { learn: last_round+hermes+ignore_empty_think }',
    test: learn('weights of answers, by name'),
  },
  {
    part: 'token weights',
    theirs: 'a JSON file of literals and patterns with weights',
    ours: '`render.weights: [{ match, weight, after }]`',
    recipe: "render: { weights: [{ match: 'Answer:', weight: 2, after: 0.5 }] }",
    test: learn('weights of answers, by name'),
  },
  {
    part: 'token weights',
    theirs: 'hybrid thinking models get `ignore_empty_think` by themselves',
    ours: 'Nothing is added in silence: it is written. `martlet tokens` shows what is learned.',
    recipe: 'render: { learn: assistant+ignore_empty_think }',
    test: learn('weights of answers, by name'),
  },
  {
    part: 'token weights',
    theirs: '`is_binary_loss_scale`',
    ours: 'No switch: each token has its weight, and a weight of 0 is not learned.',
    refused: 'render: { isBinaryLossScale: true }',
    test: test('src/render/encode-sample.test.ts', 'what is learned'),
  },
  {
    part: 'token weights',
    theirs: '`loss` and `loss_scale` of a message',
    ours: 'The same in rows, or `learn` and `weight`; they win over `render.learn`.',
    recipe: 'data: { sources: [{ from: weighted.jsonl }] }',
    test: test('src/render/encode-sample.test.ts', 'what is learned'),
  },
  ...agentFormats
    .filter((name) => name !== 'none')
    .map(
      (name): SwiftOption => ({
        part: 'agent templates',
        theirs: `\`--agent_template ${name}\``,
        ours: 'The same text, and its calls are read back.',
        recipe: `render: { agent: ${name} }`,
        test: test('src/render/agent/agent.test.ts', 'every format that ms-swift has is here'),
      }),
    ),
];
