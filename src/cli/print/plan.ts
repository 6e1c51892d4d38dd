import { formatIssue } from '../../core/issue.ts';
import { formatCount, formatCounted, formatDuration } from '../../core/units.ts';
import type { Plan, PlanPredictions } from '../../schema/plan.ts';
import { withCommands } from '../called-as.ts';
import type { CliContext } from '../context.ts';
import type { LoadedPlan } from '../load-plan.ts';
import { type Palette, palette } from './palette.ts';
import { width } from './table.ts';

/** Widest cell of a value; lists that are longer go on below. */
const valueWidth = 40;

/** Whether it can be trained and what to expect, then every value with its origin. Ends with a line end. */
export function formatPlan(
  { plan, warnings, missing, refused }: Pick<LoadedPlan, 'plan' | 'warnings' | 'missing' | 'refused'>,
  context: Pick<CliContext, 'colour' | 'cwd' | 'calledAs'>,
): string {
  const colours = palette(context);
  const values = Object.keys(plan.origins)
    .filter((path) => !path.startsWith('predictions.'))
    .map((path): Row => ({ path, text: shown(planValue(plan, path), context.cwd), origin: plan.origins[path] }));
  const expected = Object.entries(expectations).map(([name, { label, show }]): Row => {
    const value = plan.predictions[name as keyof PlanPredictions];
    const origin = plan.origins[`predictions.${name}`];
    return { path: label, text: value === 'unknown' ? value : show(value), origin };
  });
  const { diskGiB } = plan.execution;
  if (diskGiB !== null)
    expected.push({
      path: 'disk',
      text: `${diskGiB} GiB`,
      origin: { origin: 'recipe', reason: 'streamed: rows and tokens are made while it trains, and not kept' },
    });
  const notes = [
    ...warnings.map((warning) => `${colours.yellow('warning')} ${withCommands(formatIssue(warning), context)}\n`),
    ...missing.map((reason) => `${colours.yellow('unknown')} ${withCommands(reason, context)}\n`),
  ];
  return [
    `plan ${colours.bold(plan.values.name)}  ${colours.dim(plan.hash.slice(0, 12))}  ${verdict()}\n`,
    formatRows(expected, expected, colours, true),
    ...(notes.length > 0 ? [notes.join('')] : []),
    ...sections(values).map((rows) => formatRows(rows, values, colours)),
  ].join('\n');

  function verdict(): string {
    if (refused.length > 0) return colours.red('not ready: training would be refused, as the warnings say');
    const { engine } = plan.execution;
    if (engine !== 'embedded') return colours.red(`not ready: the ${engine} engine is not part of this version`);
    const unknown = missing.map((reason) => reason.split(':')[0]);
    if (unknown.length > 0) return colours.yellow(`not known yet: ${unknown.join(', ')}`);
    return colours.green(warnings.length > 0 ? `ready, with ${formatCounted(warnings.length, 'warning')}` : 'ready');
  }
}

interface Row {
  readonly path: string;
  readonly text: string;
  readonly origin: Plan['origins'][string] | undefined;
}

const expectations: Readonly<
  Record<keyof PlanPredictions, { readonly label: string; readonly show: (value: number) => string }>
> = {
  rows: { label: 'rows', show: formatCount },
  tokens: { label: 'tokens', show: formatCount },
  learnedTokens: { label: 'learned tokens', show: formatCount },
  steps: { label: 'steps', show: formatCount },
  trainableParameters: { label: 'trained parameters', show: formatCount },
  peakMemoryGiB: { label: 'peak memory', show: (gib) => `${gib.toFixed(2)} GiB` },
  trainSeconds: { label: 'training time', show: (seconds) => formatDuration(seconds * 1000) },
};

/** Rows of one section of the recipe together; what stands alone at its top comes first. */
function sections(rows: readonly Row[]): readonly (readonly Row[])[] {
  return [...Map.groupBy(rows, ({ path }) => (/[.[]/.test(path) ? (path.match(/^\w+/)?.[0] ?? '') : '')).values()];
}

/** Three columns; what is in `all` decides their width, so that several blocks stand under one another. */
function formatRows(rows: readonly Row[], all: readonly Row[], colours: Palette, only = false): string {
  const paths = Math.max(...all.map(({ path }) => path.length));
  const cells = Math.min(valueWidth, Math.max(...all.map(({ text }) => width(text))));
  return rows
    .flatMap(({ path, text, origin }) => {
      const [first = '', ...more] = wrapped(text, cells);
      const given = origin?.origin === 'recipe' || origin?.origin === 'flag';
      const paint = given || only ? colours.bold : (cell: string) => cell;
      const from = only ? (origin?.reason ?? '') : [origin?.origin, origin?.reason].filter(Boolean).join(': ');
      const line = `  ${path.padEnd(paths)}  ${paint(first)}${' '.repeat(Math.max(0, cells - width(first)))}  ${colours.dim(from)}`;
      return [line, ...more.map((rest) => `  ${' '.repeat(paths)}  ${paint(rest)}`)].map(
        (each) => `${each.trimEnd()}\n`,
      );
    })
    .join('');
}

/** Cuts a list after its commas; a word that is too long stays whole. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=, )/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.trimEnd().length <= columns) lines[lines.length - 1] = last + part;
    else lines.push(part);
  }
  return lines.map((line) => line.trimEnd());
}

/** The value of a plan at a path of its origins, such as `data.sources[0].from`. */
function planValue({ values, execution }: Plan, path: string): unknown {
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  let value: unknown = { ...values, execution };
  for (const key of keys)
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return value;
}

/** Files below the working folder are named from there. */
function shown(value: unknown, cwd: string): string {
  if (value === null) return '-';
  if (Array.isArray(value)) return value.map((each) => shown(each, cwd)).join(', ');
  if (typeof value === 'string' && value.startsWith(`${cwd}/`)) return value.slice(cwd.length + 1);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
