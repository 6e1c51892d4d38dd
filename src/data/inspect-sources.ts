import { formatIssue } from '../core/issue.ts';
import { formatCount } from '../core/units.ts';
import type { Fate } from '../schema/fates.ts';
import type { Sample } from '../schema/sample.ts';
import { answerColumns } from './answers.ts';
import { folderWarnings } from './folder-warnings.ts';
import type { OpenedSource } from './opened-source.ts';
import type { RowSource } from './read-row.ts';
import { type ReadSourcesRequest, readOpenedSources, rowStepsOf } from './read-sources.ts';
import { type RowProfile, rowProfiler } from './row-profile.ts';
import { openSources } from './sources.ts';
import { lackingWarnings } from './steps/lacking-columns.ts';

export interface InspectRequest extends ReadSourcesRequest {
  /** Samples shown of each source. */
  readonly shown: number;
  /** Rows looked at of each source. */
  readonly most?: number;
}

/** A source as it is understood. */
export interface SourceInspection extends RowProfile {
  readonly source: string;
  readonly format: string;
  /** How that is known. */
  readonly why: string;
  /** Rows looked at. */
  readonly rows: number;
  /** False when there are more. */
  readonly isAll: boolean;
  /** Rows by fate. */
  readonly fates: Readonly<Partial<Record<Fate, number>>>;
  /** What rows are left out for, how often, and the first of them. */
  readonly leftOut: readonly Tally[];
  /** What is changed in rows that are kept. */
  readonly changes: readonly Tally[];
  readonly warnings: readonly string[];
  readonly samples: readonly Sample[];
}

export interface Tally {
  readonly what: string;
  readonly rows: number;
  readonly first: string;
}

const rowsLookedAt = 10_000;

/**
 * Says how each source is understood: its format and why, its columns, what becomes of its first rows.
 * @throws MartletError `invalid-input` for sources that cannot be read or whose format is not clear.
 */
export async function inspectSources(request: InspectRequest): Promise<readonly SourceInspection[]> {
  const inspections: SourceInspection[] = [];
  for (const source of await openSources(request)) inspections.push(await inspect(source, request));
  return inspections;
}

async function inspect(opened: OpenedSource, request: InspectRequest): Promise<SourceInspection> {
  const { shown, most = rowsLookedAt } = request;
  const profiler = rowProfiler(opened.format);
  const leftOut = tallies();
  const changes = tallies();
  const samples: Sample[] = [];
  const fates: Partial<Record<Fate, number>> = {};
  let example: Readonly<Record<string, string>> | undefined;
  let rows = 0;
  let unanswered: string | null = null;
  let isAll = true;
  const observe = (row: Parameters<typeof profiler.row>[0]): void => {
    const columns = example === undefined ? opened.format.readings(row)[0]?.columns : undefined;
    const answers = Object.fromEntries(answerColumns(row).map((name) => [name, name]));
    const all = { ...columns, ...answers };
    if (columns) example = Object.fromEntries(Object.entries(all).filter(([name]) => row[name] !== undefined));
    profiler.row(row);
  };
  const watched: OpenedSource & RowSource = { ...opened, observe };
  // Held-out values that the first rows lack are no matter of understanding them.
  const values = { ...request.values, split: { by: null, heldOut: null, share: 0 } };
  const through = await rowStepsOf(values);
  for await (const outcome of readOpenedSources([watched], { ...request, values, steps: through })) {
    if (rows === most) {
      isAll = false;
      break;
    }
    rows++;
    fates[outcome.fate] = (fates[outcome.fate] ?? 0) + 1;
    const place = `${outcome.file}:${outcome.line}`;
    const [issue] = outcome.issues;
    if (issue) leftOut.add(issue.code, formatIssue(issue));
    else if (outcome.sample === null) leftOut.add(outcome.fate, `${place} ${outcome.reason ?? ''}`.trim());
    for (const change of outcome.changes) changes.add(change.replaceAll(/\d+/g, 'n'), `${place} ${change}`);
    if (!outcome.sample) continue;
    profiler.sample(outcome.sample);
    if (!outcome.sample.messages.some(({ role }) => role === 'assistant')) unanswered ??= place;
    if (samples.length < shown) samples.push(outcome.sample);
  }
  const profile = profiler.result();
  return {
    source: opened.values.from,
    format: opened.format.name,
    why: whyOf(opened, example),
    rows,
    isAll,
    fates,
    leftOut: leftOut.all(),
    changes: changes.all(),
    warnings: [
      ...warningsOf(profile, { unanswered }),
      ...lackingWarnings(through?.lacking() ?? [], values.steps),
      ...(await folderWarnings(opened.values.from)),
    ],
    samples,
    ...profile,
  };
}

function tallies() {
  const found = new Map<string, { rows: number; first: string }>();
  return {
    add(what: string, first: string): void {
      const tally = found.get(what);
      if (tally) tally.rows++;
      else found.set(what, { rows: 1, first });
    },
    all: (): Tally[] =>
      [...found]
        .map(([what, tally]) => ({ what, ...tally }))
        .sort((a, b) => b.rows - a.rows || (a.what < b.what ? -1 : 1)),
  };
}

function whyOf({ values, format }: OpenedSource, columns: Readonly<Record<string, string>> | undefined): string {
  const read = Object.entries(columns ?? {}).map(([theirs, ours]) =>
    theirs === ours ? theirs : `${theirs} as ${ours}`,
  );
  if (values.format !== 'auto') return `the recipe says so; it needs ${format.needs}`;
  return `the rows have ${read.length > 0 ? read.join(', ') : format.needs}`;
}

/** What the counts tell that a person may not have meant. */
function warningsOf(...[{ parts, columns }, { unanswered }]: [RowProfile, { unanswered: string | null }]): string[] {
  const rows = (part: string): string => `${formatCount(parts[part] ?? 0)} ${parts[part] === 1 ? 'row' : 'rows'}`;
  const unread = columns.filter(({ readAs, types }) => readAs === null && Object.keys(types).length > 0);
  return [
    parts['media tags without media'] !== undefined &&
      `${rows('media tags without media')} with <image>, <video> or <audio> in the text and no column that holds them: the tags stay text`,
    parts['no answer'] !== undefined &&
      `${rows('no answer')} without an answer: sft learns nothing from them; the first: ${unanswered}`,
    parts.rejected !== undefined && `${rows('rejected')} with a rejected answer: sft trains on the chosen one alone`,
    parts.ranked !== undefined && `${rows('ranked')} with ranked answers: sft trains on the best one alone`,
    unread.length > 0 && `columns that are not read, only kept in extra: ${unread.map(({ name }) => name).join(', ')}`,
  ].filter((warning) => warning !== false);
}
