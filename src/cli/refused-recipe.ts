import { issuesError, type MartletError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';

interface Given {
  /** The recipe, as it is shown. */
  readonly file: string;
  /** `path=value`, as given after each `--set`. */
  readonly flags: readonly string[];
  /** As given after `--base`, which counts as one flag more. */
  readonly base: string | undefined;
}

/** What is wrong with a recipe and its flags: the file is not blamed for what flags alone got wrong. */
export function refusedRecipe(issues: readonly Issue[], given: Given): MartletError {
  const errors = issues.filter(({ severity }) => severity === 'error');
  const blamed = new Set(errors.map((issue) => flagOf(issue, given)));
  const [only] = blamed;
  const allFlags = !blamed.has(undefined) && errors.length > 0;
  const what = allFlags ? (blamed.size === 1 && only !== undefined ? only : 'the command') : given.file;
  return issuesError(
    what,
    issues.map((issue) => (flagOf(issue, given)?.startsWith('--base') ? withoutPlace(issue, ['--base']) : issue)),
  );
}

/** The flag that gave what is wrong; undefined for what the recipe says. */
function flagOf({ place }: Issue, { flags, base }: Given): string | undefined {
  if (place?.file !== '--set') return undefined;
  const flag = flags[place.line - 1];
  return flag === undefined ? `--base ${base}` : `--set ${flag.length > 60 ? `${flag.slice(0, 57)}...` : flag}`;
}

function withoutPlace({ place: _, ...issue }: Issue, path: Issue['path']): Issue {
  return { ...issue, path };
}
