import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { MartletError } from '../core/error.ts';
import { formatIssue, formatPath, type Issue } from '../core/issue.ts';
import { nearestName } from '../core/nearest.ts';
import { type Facts, placeOf, readRecipe, resolvePlan } from '../recipe/index.ts';
import type { Plan, PlanValues } from '../schema/plan.ts';
import type { CliContext } from './context.ts';
import { refuseRows } from './refuse-rows.ts';
import { refusedRecipe } from './refused-recipe.ts';

type Rows = NonNullable<Facts['rows']>;

/**
 * Where facts come from that need more than a file of the recipe. One that throws leaves its fact unknown; rows that are
 * there and cannot be read are an error.
 */
export interface FactSources {
  /** Told what a recipe that is right asks for, before anything is looked at. */
  readonly begin?: (values: PlanValues) => void;
  /** What is wrong with the base models and the template a person named, as far as it can be told without fetching anything. */
  readonly checkFiles?: (values: PlanValues) => Promise<readonly Issue[]>;
  /** The folder of the first of these base models that is on this machine; nothing is downloaded. */
  readonly findModel?: (addresses: readonly string[]) => Promise<string | undefined>;
  readonly countRows?: (values: PlanValues['data']) => Promise<Rows>;
  /** Asked once the model and the rows are known. */
  readonly countTokens?: (
    values: PlanValues,
    known: { /** Of the model. */ readonly folder: string; readonly rows: Rows },
  ) => Promise<Facts['tokens']>;
  readonly measureThroughput?: () => Promise<Facts['throughput']>;
}

export interface LoadPlanRequest {
  /** The recipe, relative to `context.cwd`. */
  readonly file: string;
  /** `path=value`, as given after each `--set`. */
  readonly flags?: readonly string[];
  /** Takes the place of the recipe's base models. A folder or file is relative to `context.cwd`. */
  readonly base?: string | undefined;
  /** Stages that are walked with the plan; none when it is only looked at. */
  readonly walked?: readonly string[];
  readonly context: Pick<CliContext, 'cwd'>;
  readonly sources?: FactSources;
}

export interface LoadedPlan {
  readonly plan: Plan;
  readonly facts: Facts;
  readonly warnings: readonly Issue[];
  /** Facts that could not be had, why, and what would make them known; for people. */
  readonly missing: readonly string[];
  /** What would keep it from being trained: warnings of a plan that is only looked at. */
  readonly refused: readonly Issue[];
  /** The recipe, absolute. */
  readonly file: string;
  /** What a stage threw, with the place in the recipe of each value that it finds fault with. */
  readonly atPlaces: (error: unknown) => unknown;
}

const maxRecipeBytes = 2 ** 20;

/**
 * Reads a recipe file, collects the facts and makes the plan.
 * @throws MartletError `invalid-input` with every issue, each at its line and column
 */
export async function loadPlan(request: LoadPlanRequest): Promise<LoadedPlan> {
  const { context, base, walked = [], sources = {} } = request;
  const file = resolve(context.cwd, request.file);
  const shownFile = relative(context.cwd, file).startsWith('..') ? file : relative(context.cwd, file);
  const given = request.flags ?? [];
  const flags = [...given, ...(base === undefined ? [] : [baseFlag(base, context.cwd)])];
  const refused = (issues: readonly Issue[]): MartletError =>
    refusedRecipe(issues, { file: shownFile, flags: given, base });
  const read = readRecipe({ text: await readRecipeText(file), file: shownFile, flags });
  if (!read.ok) throw refused(read.issues);

  const resolvePath = (path: string): string => resolve(dirname(file), path);
  const resolveWith = (facts: Facts): { plan: Plan; warnings: readonly Issue[] } => {
    const plan = resolvePlan({ ...read.value, facts, resolvePath, walked });
    if (!plan.ok) throw refused(plan.issues);
    return { plan: plan.value, warnings: plan.warnings };
  };
  // What is wrong without any fact is told before facts are looked for.
  const { values, origins } = resolveWith({}).plan;
  const missing: string[] = [];
  const { places } = read.value;
  const placed = (issues: readonly Issue[]): Issue[] =>
    issues.map((issue) => {
      const place = issue.place ?? placeOf(places, issue.path);
      return { ...issue, ...(place && { place }) };
    });
  const refuse = (issues: readonly Issue[]): void => {
    if (issues.length > 0) throw refused(placed(issues));
  };
  const atPlaces = (error: unknown): unknown => {
    const isOurs = ({ path, place }: Issue): boolean => !place && places.keys.has(formatPath(path.slice(0, 1)));
    return MartletError.is(error) && error.issues.some(isOurs) ? refused(placed(error.issues)) : error;
  };
  const errorsOf = (known: Facts, stages = walked): readonly Issue[] => {
    const plan = resolvePlan({ ...read.value, facts: known, resolvePath, walked: stages });
    return plan.ok ? [] : plan.issues.filter(({ severity }) => severity === 'error');
  };
  const facts = await collectFacts({ values, origins, sources, missing, errorsOf, refuse });
  const resolved = resolveWith(facts);
  return { ...resolved, facts, missing, refused: errorsOf(facts, ['data', 'shard', 'train']), file, atPlaces };
}

interface CollectRequest {
  readonly values: PlanValues;
  readonly origins: Plan['origins'];
  readonly sources: FactSources;
  readonly missing: string[];
  /** What the recipe cannot be with these facts. */
  readonly errorsOf: (facts: Facts) => readonly Issue[];
  /** @throws MartletError `invalid-input` when there is any. */
  readonly refuse: (issues: readonly Issue[]) => void;
}

async function collectFacts(request: CollectRequest): Promise<Facts> {
  const { sources, missing, refuse } = request;
  let { values } = request;
  sources.begin?.(values);
  // Only a recipe that is right pays for loading what reads models.
  const { machineFacts, modelFacts } = await import('./plan-facts.ts');
  const known = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      if (!MartletError.is(error) && !isSystemError(error)) throw error;
      missing.push(`${what}: ${reasonOf(error)}`);
      return undefined;
    }
  };
  const wrong: Issue[] = [...((await sources.checkFiles?.(values)) ?? [])];
  const counted = await known('rows', async () => {
    try {
      return await sources.countRows?.(values.data);
    } catch (error) {
      const issues = rowIssues(error);
      if (!issues) throw error;
      wrong.push(...issues);
      return undefined;
    }
  });
  const rows = counted && heldOutRows(counted, request.origins);
  if (rows?.oneRow && isShareDerived(request.origins))
    values = { ...values, data: { ...values.data, split: { ...values.data.split, share: rows.oneRow.share } } };
  // A base model may have to be fetched: not for rows that cannot be used.
  refuse([...wrong, ...(rows ? request.errorsOf({ rows }) : [])]);
  const [machine, model, throughput] = await Promise.all([
    machineFacts(),
    known('model', async () => {
      const folder = await (sources.findModel ?? localModel)(values.base);
      return folder === undefined ? undefined : { folder, facts: await modelFacts(folder) };
    }),
    known('throughput', async () => sources.measureThroughput?.()),
  ]);
  const tokens =
    model && rows && (await known('tokens', async () => sources.countTokens?.(values, { folder: model.folder, rows })));
  return {
    machine,
    ...(model && { model: model.facts }),
    ...(rows && { rows }),
    ...(tokens && { tokens }),
    ...(throughput && { throughput }),
  };
}

const isShareDerived = (origins: Plan['origins']): boolean => origins['data.split.share']?.origin === 'derived';

/** A share that a person gave is kept, even when it is none. */
function heldOutRows({ oneRow, ...rows }: Rows, origins: Plan['origins']): Rows {
  if (!oneRow) return rows;
  if (!isShareDerived(origins)) return { ...rows, oneRow };
  const { sources, train } = rows;
  const of = sources?.[oneRow.source];
  return {
    ...rows,
    ...{ train: train - 1, heldout: 1, oneRow },
    ...(sources && of && { sources: { ...sources, [oneRow.source]: { train: of.train - 1, heldout: 1 } } }),
  };
}

/** What a person has to mend before the rows can be read; undefined when they only have to be fetched, or asked for again. */
function rowIssues(error: unknown): readonly Issue[] | undefined {
  if (!MartletError.is(error) || error.retryable) return undefined;
  const errors = error.issues.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) return errors.every(({ code }) => code === 'offline') ? undefined : errors;
  if (error.code !== 'split-value-unknown') return undefined;
  const path = ['data', 'split', 'heldOut'];
  const fix = error.hint;
  return [{ code: error.code, severity: 'error', path, message: `${error.message}.`, ...(fix && { fix }) }];
}

/** What went wrong and what to do about it, in one line. */
function reasonOf(error: Error): string {
  if (!MartletError.is(error)) return error.message;
  const { issues, message, hint } = error;
  return [issues.length > 0 ? issues.map(formatIssue).join(' ') : message, hint].filter(Boolean).join('. ');
}

/** The first address when it is a model folder. */
async function localModel(addresses: readonly string[]): Promise<string | undefined> {
  const [first] = addresses;
  if (first === undefined || !isAbsolute(first)) return undefined;
  const found = await stat(first).catch(() => undefined);
  return found?.isDirectory() ? first : undefined;
}

function baseFlag(base: string, cwd: string): string {
  return `base=${JSON.stringify(/^[a-z]{2,}:/i.test(base) ? base : resolve(cwd, base))}`;
}

async function readRecipeText(file: string): Promise<string> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    return undefined;
  });
  if (!found) throw new MartletError('invalid-input', `there is no ${file}`, { hint: await nearbyFile(file) });
  if (found.isDirectory())
    throw new MartletError('invalid-input', `${file} is a folder`, {
      hint: `Name a file, such as ${file}/recipe.yaml.`,
    });
  await refuseRows(file);
  if (found.size > maxRecipeBytes)
    throw new MartletError('invalid-input', `${file} is no recipe: it has ${found.size} bytes`, {
      hint: `A recipe has at most ${maxRecipeBytes}.`,
    });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new MartletError('invalid-input', `${file} is not UTF-8 text`, { hint: 'Save it as UTF-8.', cause: error });
  }
}

async function nearbyFile(file: string): Promise<string> {
  const names = (await readdir(dirname(file)).catch(() => [])).filter((name) => /\.ya?ml$/.test(name));
  const near = nearestName(basename(file), names) ?? names[0];
  return near === undefined ? 'Name the recipe file, such as recipe.yaml.' : `Did you mean ${near}?`;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
