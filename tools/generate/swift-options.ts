/** An option of ms-swift's data handling, and how it is written here. */
export interface SwiftOption {
  /** What it belongs to. */
  readonly part: 'sources' | 'columns' | 'from rows to batches' | 'token weights' | 'agent templates';
  readonly theirs: string;
  readonly ours: string;
  /** The test that holds it: a file, and words of the test's title. */
  readonly test: { readonly file: string; readonly title: string };
}

const readSources = 'src/data/read-sources.test.ts';

/** One row an option, in the order of ms-swift's documentation. */
export const swiftOptions: readonly SwiftOption[] = [
  {
    part: 'columns',
    theirs: 'automatic column mapping',
    ours: 'The same names are read (see query and response); two that could both be meant are an error, not a choice.',
    test: { file: readSources, title: 'two columns that both ask' },
  },
  {
    part: 'columns',
    theirs: '`--columns \'{"a": "query"}\'`',
    ours: '`data.sources[].columns: { a: query }`',
    test: { file: readSources, title: 'columns are read under the names the recipe gives them' },
  },
  {
    part: 'columns',
    theirs: '`--disable_auto_column_mapping`',
    ours: '`data.sources[].format`: nothing is guessed; with `columns`, only what is named counts.',
    test: { file: readSources, title: 'decides, when the recipe says it' },
  },
  {
    part: 'columns',
    theirs: 'AutoPreprocessor: the first match wins',
    ours: 'Two readings that differ are an error that shows both; `data.sources[].format` decides.',
    test: { file: readSources, title: 'is not guessed when a row has two readings' },
  },
  {
    part: 'columns',
    theirs: '`--remove_unused_columns`',
    ours: 'Columns that are not read are kept in `extra`, where scorers find them; `martlet data inspect` names them.',
    test: { file: readSources, title: 'other columns go where they belong' },
  },
  {
    part: 'columns',
    theirs: '`ROOT_IMAGE_DIR`',
    ours: '`data.sources[].media`; the folder of the file of the row when absent.',
    test: { file: readSources, title: 'media are looked for in the folder the recipe names' },
  },
  {
    part: 'columns',
    theirs: '`--strict false`: bad rows are dropped',
    ours: 'Bad rows are named and counted; a run starts only when they are within `data.budget.dropped` (0 unless set).',
    test: { file: 'src/data/build-dataset.test.ts', title: 'is refused when it loses more than the budget' },
  },
];
