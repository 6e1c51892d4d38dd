import { resolve } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import { formatPath } from '../core/issue.ts';
import { readRecipe, resolvePlan } from '../recipe/index.ts';
import type { Plan } from '../schema/plan.ts';
import type { CliContext } from './context.ts';

/**
 * How a recipe that names nothing but this source would read it, with every default.
 * @param from as `data.sources[].from`, relative to `cwd`
 * @throws MartletError `invalid-input`
 */
export function planOfSource(
  from: string,
  { cwd, set = [] }: Pick<CliContext, 'cwd'> & { readonly set?: readonly string[] },
): Plan {
  const text = JSON.stringify({ name: 'inspect', base: 'hf:none/none', data: { sources: [{ from }] } });
  const read = readRecipe({ text, file: from, flags: set });
  const plan = read.ok ? resolvePlan({ ...read.value, facts: {}, resolvePath: (path) => resolve(cwd, path) }) : read;
  if (!plan.ok) throw issuesError(from, plan.issues);
  return plan.value;
}

/** What reading it threw, without a word of the recipe that nobody wrote. @param flag that named it; an argument if none @param set as it was given */
export function failureOfSource(
  error: unknown,
  { from, flag, set = [] }: { readonly from: string; readonly flag?: string; readonly set?: readonly string[] },
): unknown {
  if (!MartletError.is(error) || error.issues.length === 0) return error;
  const issues = error.issues.map((issue) =>
    formatPath(issue.path) === 'data.sources[0].from' ? { ...issue, path: flag === undefined ? [] : [flag] } : issue,
  );
  const refused = issuesError(from, issues);
  const columns = flag === undefined && /\.columns: (\{[^}]*\})/.exec(issues[0]?.fix ?? '')?.[1];
  if (!columns) return refused;
  const kept = set.filter((value) => !value.startsWith('data.sources[0].columns'));
  const flags = [...kept, `data.sources[0].columns=${columns}`].map((value) => `--set ${inShell(value)}`);
  const hint = `To try it: martlet data inspect ${from} ${flags.join(' ')}`;
  return new MartletError(refused.code, refused.message, { issues, hint });
}

const inShell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
