/** What a person or a file got wrong: a value, collected with all the others before anything is refused. */
export interface Issue {
  /** Stable, documented, kebab-case: `unknown-key`, `wrong-type`, `file-missing` ... */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** Where in the document: `['train', 'learningRate']`. Empty for the document as a whole. */
  readonly path: readonly (string | number)[];
  /** Where in the file, both counted from 1. */
  readonly place?: { readonly file: string; readonly line: number; readonly column: number };
  /** What was found. */
  readonly message: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What to do about it. */
  readonly fix?: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Issue[] }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** `recipe.yaml:3:6 train.learningRate: found "fast". Expected a number. Write 1e-4.` */
export function formatIssue(issue: Issue): string {
  const place = issue.place ? `${issue.place.file}:${issue.place.line}:${issue.place.column} ` : '';
  const path = issue.path.length > 0 ? `${formatPath(issue.path)}: ` : '';
  const parts = [issue.message, issue.expected && `Expected ${issue.expected}.`, issue.fix].filter(Boolean);
  return `${place}${path}${parts.join(' ')} [${issue.code}]`;
}

/** `data.sources[0].from` */
export function formatPath(path: readonly (string | number)[]): string {
  return path.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');
}
