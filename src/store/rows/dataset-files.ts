import { parse } from 'yaml';
import { MartletError } from '../../core/error.ts';
import { nearestName } from '../../core/nearest.ts';
import { fileKind } from './read-rows.ts';

export interface DatasetSelection {
  /** Names of subsets, and perhaps a split of all of them as the last; `all` alone is every subset. */
  readonly parts?: readonly string[] | undefined;
  /** With it, all parts are subsets. */
  readonly split?: string | undefined;
}

interface DatasetFiles extends DatasetSelection {
  /** For messages. */
  readonly name: string;
  /** Paths of all files, with `/`. */
  readonly paths: readonly string[];
  /** README.md, whose head may say which files make which subset. */
  readonly card?: string | undefined;
}

/** Files that describe a data set and are none of its rows. */
const described =
  /(^|\/)(\.[^/]*|dataset_infos?\.json|dataset_dict\.json|state\.json|configuration\.json|(readme|licen[cs]e|changelog|notice)\b[^/]*)(\/|$)/i;

/** Files with rows, sorted. Texts count only where there is nothing else: beside data they explain it. */
export function dataFiles(paths: readonly string[]): readonly string[] {
  const known = paths.filter((path) => !described.test(path) && fileKind(path) !== undefined);
  const rows = known.filter((path) => fileKind(path) !== 'text');
  return (rows.length > 0 ? rows : known).toSorted(byName);
}

/**
 * What `dataFiles` leaves out, but for what describes a data set and the media that its rows may show. Among texts a README
 * may have been meant as one of them.
 */
export function otherFiles(paths: readonly string[]): readonly string[] {
  const taken = new Set(dataFiles(paths));
  const isTexts = [...taken].some((path) => fileKind(path) === 'text');
  const describes = (path: string): boolean =>
    described.test(path) && !(isTexts && fileKind(path) === 'text' && !/(^|\/)\./.test(path));
  return paths.filter((path) => !taken.has(path) && !describes(path) && !media.test(path)).toSorted(byName);
}

/** The splits that names of files say, where they say several. */
export function splitsIn(paths: readonly string[]): readonly string[] {
  const files = dataFiles(paths);
  const splits = Object.keys(splitNames).filter((split) => files.some((path) => splitOf(path) === split));
  return splits.length > 1 ? splits : [];
}

const media = /\.(png|jpe?g|gif|webp|bmp|tiff?|svg|heic|avif|mp4|mkv|mov|avi|webm|wav|mp3|flac|ogg|opus|m4a|aac)$/i;

/** The same order everywhere, whatever the language of the machine; part-2 comes before part-10. */
export function byName(a: string, b: string): number {
  return numbered.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

const numbered = new Intl.Collator('en', { numeric: true });

const splitNames = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['test', 'testing', 'eval', 'evaluation'],
} as const;

/** `data/train-00000-of-00002.parquet` is of the split train. Undefined where no part of the path names one. */
export function splitOf(path: string): string | undefined {
  const words = path.toLowerCase().split(/[^a-z0-9]+/);
  for (const [split, names] of Object.entries(splitNames)) if (names.some((name) => words.includes(name))) return split;
  return undefined;
}

const splitNamed = (name: string): string =>
  Object.entries(splitNames).find(([, names]) => names.some((known) => known === name))?.[0] ?? name;

/**
 * The files of a data set's subsets and split, as hubs name them: by the `configs` at the head of its README, else by folder
 * and file names. Without a split it is `train`, or everything where no file names a split. The files of several subsets
 * follow one another as the subsets are named, each file once.
 * @throws MartletError `subset-unknown`, `split-unknown`, `subset-ambiguous`, `dataset-empty`
 */
export function selectDatasetFiles(dataset: DatasetFiles): readonly string[] {
  const configs = configsOf(dataset.card);
  const layout = configs.length > 0 ? layoutOfConfigs(dataset, configs) : layoutOfPaths(dataset);
  const { subsets, split } = readParts(dataset, layout);
  const selected = [...new Set(subsets.flatMap((subset) => layout.files(subset, split)))];
  if (selected.length === 0)
    throw new MartletError('dataset-empty', `${dataset.name} has no file of rows that can be read`, {
      hint: 'Rows are read from JSON, JSONL, CSV, TSV, Parquet, text and Markdown.',
    });
  return selected;
}

/** Which files make which subset and split. A subset that is undefined is the one that is meant when none is named. */
interface Layout {
  readonly subsets: readonly string[];
  /** What `all` stands for. */
  readonly every: readonly (string | undefined)[];
  readonly has: (subset: string) => boolean;
  readonly splits: (subset: string | undefined) => readonly string[];
  /** @throws MartletError `subset-unknown`, `split-unknown` */
  readonly files: (subset: string | undefined, split: string | undefined) => readonly string[];
}

interface Reading {
  readonly subsets: readonly (string | undefined)[];
  readonly split: string | undefined;
}

/** Behind the bar, ms-swift writes subsets, `en/de`; a split is written there too, `en/train`. The data set says which. */
function readParts({ name, parts = [], split }: DatasetFiles, layout: Layout): Reading {
  const subsetsOf = (names: readonly string[]): Reading['subsets'] =>
    names.length === 0
      ? [undefined]
      : names.join() === 'all' && !layout.has('all')
        ? layout.every
        : // Hubs call the only subset so.
          names.map((each) => (each === 'default' && !layout.has(each) ? undefined : each));
  const asSubsets: Reading = { subsets: subsetsOf(parts), split };
  const last = parts.at(-1);
  const before = parts.slice(0, -1);
  if (last === undefined || split !== undefined) return asSubsets;
  const isSplitOf = (subset: string | undefined): boolean =>
    layout.splits(subset).some((known) => sameSplit(known, last));
  // Alone it is a subset, unless only a split is called so.
  if (before.length === 0)
    return !layout.subsets.includes(last) && isSplitOf(undefined) ? { subsets: [undefined], split: last } : asSubsets;
  const asSplit: Reading = { subsets: subsetsOf(before), split: last };
  for (const subset of asSplit.subsets)
    if (subset !== undefined && !layout.has(subset)) throw unknown('subset', name, subset, layout.subsets);
  const isSplit = asSplit.subsets.every(isSplitOf);
  if (isSplit && layout.has(last) && layout.subsets.includes(last)) throw ambiguous(name, parts);
  if (isSplit) return asSplit;
  if (layout.has(last)) return asSubsets;
  const splits = new Set(asSplit.subsets.flatMap(layout.splits));
  throw unknown('split', name, last, [...splits, ...layout.subsets.filter((subset) => !parts.includes(subset))]);
}

const sameSplit = (a: string, b: string): boolean => splitNamed(a) === splitNamed(b);

function ambiguous(name: string, parts: readonly string[]): MartletError {
  const last = parts.at(-1);
  const before = parts.slice(0, -1).join('/');
  const text = `${name}:${parts.join('/')} may be the split ${last} of ${before}, or the subsets ${parts.join(', ')}`;
  return new MartletError('subset-ambiguous', text, {
    hint: `For the split write ${name}/${last}:${before}; for the subsets, a source for each.`,
  });
}

interface Config {
  readonly name: string;
  readonly isDefault: boolean;
  readonly files: readonly { readonly split: string; readonly patterns: readonly string[] }[];
}

function layoutOfConfigs(dataset: DatasetFiles, configs: readonly Config[]): Layout {
  const subsets = configs.map((config) => config.name);
  const find = (subset: string | undefined): Config | undefined =>
    subset === undefined && configs.length === 1
      ? configs[0]
      : configs.find((each) => (subset === undefined ? each.isDefault : each.name === subset));
  return {
    subsets,
    every: subsets,
    has: (subset) => subsets.includes(subset),
    splits: (subset) => find(subset)?.files.map(({ split }) => split) ?? [],
    files(subset, split) {
      const config = find(subset);
      if (!config) throw unknown('subset', dataset.name, subset, subsets);
      const named = config.files.find((each) => sameSplit(each.split, split ?? 'train'));
      const files = named ?? (split === undefined && config.files.length === 1 ? config.files[0] : undefined);
      const splits = config.files.map((each) => each.split);
      if (!files) throw unknown('split', dataset.name, split, splits);
      const known = dataset.paths.filter((path) => fileKind(path) !== undefined);
      return known.filter((path) => files.patterns.some((pattern) => matches(pattern, path))).toSorted(byName);
    },
  };
}

/** A subset is a folder, else what a file's name begins with; a word for a split is none, where it may be a split. */
function layoutOfPaths({ name, paths }: DatasetFiles): Layout {
  const all = dataFiles(paths);
  const folders = [...new Set(all.flatMap(foldersOf))];
  const within = (subset: string | undefined): readonly string[] => {
    if (subset === undefined) return all;
    const inFolder = all.filter((path) => foldersOf(path).includes(subset));
    if (inFolder.length > 0) return inFolder;
    return all.filter((path) => {
      const stem = stemOf(path);
      return stem === subset || stem.startsWith(`${subset}-`) || stem.startsWith(`${subset}_`);
    });
  };
  const splits = (subset: string | undefined): readonly string[] => [
    ...new Set(within(subset).map((path) => splitOf(path) ?? 'train')),
  ];
  return {
    subsets: folders.filter((folder) => splitOf(folder) === undefined),
    every: [undefined],
    has: (subset) => within(subset).length > 0,
    splits,
    files(subset, split) {
      const files = within(subset);
      if (files.length === 0 && subset !== undefined)
        throw unknown('subset', name, subset, [...new Set([...folders, ...all.map(stemOf)])]);
      if (split === undefined && !files.some((path) => splitOf(path) !== undefined)) return files;
      const selected = files.filter((path) => sameSplit(splitOf(path) ?? 'train', split ?? 'train'));
      if (selected.length === 0 && files.length > 0) throw unknown('split', name, split, splits(subset));
      return selected;
    },
  };
}

const foldersOf = (path: string): readonly string[] => path.split('/').slice(0, -1);

const stemOf = (path: string): string => (path.split('/').at(-1) ?? '').replace(/\..*$/, '');

function unknown(
  what: 'subset' | 'split',
  name: string,
  given: string | undefined,
  there: readonly string[],
): MartletError {
  const near = given === undefined ? undefined : nearestName(given, there);
  const list = there.slice(0, 12).join(', ') + (there.length > 12 ? ' ...' : '');
  return new MartletError(
    `${what}-unknown`,
    given === undefined ? `${name} has several ${what}s and none is named` : `${name} has no ${what} ${given}`,
    {
      hint:
        there.length === 0
          ? `It has no ${what}s: leave it out.`
          : `${near ? `Did you mean ${near}? ` : ''}It has ${list}. Write ${name}:${near ?? there[0]}.`,
    },
  );
}

/** `configs` of a card's YAML head; none where it says nothing of files, or says it in a way not known here. */
function configsOf(card: string | undefined): readonly Config[] {
  const head = /^\ufeff?---\r?\n(.*?)\r?\n---/s.exec(card ?? '')?.[1];
  if (head === undefined) return [];
  let written: unknown;
  try {
    written = parse(head);
  } catch {
    return [];
  }
  const list = isRecord(written) && Array.isArray(written.configs) ? written.configs : [];
  return list.flatMap((each): Config[] => {
    if (!isRecord(each) || typeof each.config_name !== 'string') return [];
    const folder = typeof each.data_dir === 'string' ? `${each.data_dir.replace(/\/+$/, '')}/` : '';
    const files = filesOf(each.data_files ?? (folder && '**'), folder);
    if (files.length === 0) return [];
    return [{ name: each.config_name, isDefault: each.default === true || each.config_name === 'default', files }];
  });
}

function filesOf(written: unknown, folder: string): Config['files'] {
  if (isRecord(written))
    return Object.entries(written).map(([split, paths]) => ({ split, patterns: patternsOf(paths, folder) }));
  if (Array.isArray(written) && written.every(isRecord))
    return written.map(({ split, path }) => ({
      split: typeof split === 'string' ? split : 'train',
      patterns: patternsOf(path, folder),
    }));
  const patterns = patternsOf(written, folder);
  return patterns.length > 0 ? [{ split: 'train', patterns }] : [];
}

const patternsOf = (paths: unknown, folder: string): readonly string[] =>
  [paths]
    .flat()
    .filter((path) => typeof path === 'string' && path !== '')
    .map((path) => `${folder}${String(path).replace(/^\.\//, '')}`);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Shell patterns: `*` within a folder, `**` across them, `?`, `[...]` and `{a,b}`. */
export function matches(pattern: string, path: string): boolean {
  const form = pattern
    .replace(/[.+^$()|\\]/g, '\\$&')
    .replace(/\*\*\/?|\*|\?|\{|\}|,|\[!/g, (token) =>
      token === '**/'
        ? '(?:.*/)?'
        : token === '**'
          ? '.*'
          : token === '*'
            ? '[^/]*'
            : token === '?'
              ? '[^/]'
              : token === '{'
                ? '(?:'
                : token === '}'
                  ? ')'
                  : token === ','
                    ? '|'
                    : '[^',
    );
  try {
    return new RegExp(`^${pattern.includes('{') ? form : form.replaceAll('|', ',')}$`).test(path);
  } catch {
    return pattern === path;
  }
}
