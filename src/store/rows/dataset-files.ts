import { parse } from 'yaml';
import { MartletError } from '../../core/error.ts';
import { nearestName } from '../../core/nearest.ts';
import { fileKind } from './read-rows.ts';

export interface DatasetSelection {
  readonly subset?: string | undefined;
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

/** What `dataFiles` leaves out, but for what describes a data set and the media that its rows may show. */
export function otherFiles(paths: readonly string[]): readonly string[] {
  const taken = new Set(dataFiles(paths));
  return paths.filter((path) => !taken.has(path) && !described.test(path) && !media.test(path)).toSorted(byName);
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
 * The files of a data set's subset and split, as hubs name them: by the `configs` at the head of its README, else by folder
 * and file names. Without a split it is `train`, or everything where no file names a split.
 * @throws MartletError `subset-unknown`, `split-unknown`, `dataset-empty`
 */
export function selectDatasetFiles(dataset: DatasetFiles): readonly string[] {
  const configs = configsOf(dataset.card);
  const selected = configs.length > 0 ? byConfig(dataset, configs) : byPath(dataset);
  if (selected.length === 0)
    throw new MartletError('dataset-empty', `${dataset.name} has no file of rows that can be read`, {
      hint: 'Rows are read from JSON, JSONL, CSV, TSV, Parquet, text and Markdown.',
    });
  return selected;
}

interface Config {
  readonly name: string;
  readonly isDefault: boolean;
  readonly files: readonly { readonly split: string; readonly patterns: readonly string[] }[];
}

function byConfig(dataset: DatasetFiles, configs: readonly Config[]): readonly string[] {
  const { name, subset } = dataset;
  const names = configs.map((config) => config.name);
  const config =
    configs.length === 1 && subset === undefined
      ? configs[0]
      : configs.find((each) => (subset === undefined ? each.isDefault : each.name === subset));
  if (!config) throw unknown('subset', name, subset, names);
  const split = splitNamed(dataset.split ?? 'train');
  const found = config.files.find((each) => splitNamed(each.split) === split);
  const files = found ?? (dataset.split === undefined && config.files.length === 1 ? config.files[0] : undefined);
  if (!files)
    throw unknown(
      'split',
      name,
      dataset.split,
      config.files.map((each) => each.split),
    );
  const known = dataset.paths.filter((path) => fileKind(path) !== undefined);
  return known.filter((path) => files.patterns.some((pattern) => matches(pattern, path))).toSorted(byName);
}

function byPath(dataset: DatasetFiles): readonly string[] {
  const { name, subset, split } = dataset;
  const all = dataFiles(dataset.paths);
  const inFolder = all.filter((path) =>
    path
      .split('/')
      .slice(0, -1)
      .includes(subset ?? ''),
  );
  const byStem = all.filter(
    (path) => stemOf(path) === subset || stemOf(path).startsWith(`${subset}-`) || stemOf(path).startsWith(`${subset}_`),
  );
  const files = subset === undefined ? all : inFolder.length > 0 ? inFolder : byStem;
  if (files.length === 0 && subset !== undefined) {
    const folders = all.flatMap((path) => path.split('/').slice(0, -1));
    throw unknown('subset', name, subset, [...new Set([...folders, ...all.map(stemOf)])]);
  }
  const named = new Set(files.map((path) => splitOf(path) ?? 'train'));
  const wanted = splitNamed(split ?? 'train');
  if (split === undefined && !files.some((path) => splitOf(path) !== undefined)) return files;
  const selected = files.filter((path) => (splitOf(path) ?? 'train') === wanted);
  if (selected.length === 0 && files.length > 0) throw unknown('split', name, split, [...named]);
  return selected;
}

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
      hint: `${near ? `Did you mean ${near}? ` : ''}It has ${list}. Write ${what === 'subset' ? 'hf:org/name:subset' : 'hf:org/name/split'}.`,
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
