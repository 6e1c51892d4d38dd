import { MartletError } from '../core/error.ts';
import { formatPath } from '../core/issue.ts';
import { randomStream, streamKey } from '../core/random.ts';
import type { EncodedPart, EncodedSample, Finding, GateCheck, TokenWindow } from '../render/index.ts';
import type { Sample } from '../schema/sample.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import type { Encoder } from './encoder.ts';
import { engineFindings } from './engine-findings.ts';

/** One thing that is wrong, with the row, the turn and the tokens it was found at. */
export interface GateFailure {
  readonly check: GateCheck | null;
  readonly code: string;
  readonly severity: Finding['severity'];
  readonly row: { readonly id: string; readonly file: string; readonly line: number };
  /** The message, counted from 0; null where it is the row as a whole. */
  readonly turn: number | null;
  /** Of a row that is split, the document, counted from 0. */
  readonly document: number;
  readonly place: string;
  readonly message: string;
  readonly fix: string | null;
  readonly window: TokenWindow | null;
}

export interface GateReport {
  /** No error was found. */
  readonly ok: boolean;
  readonly rows: number;
  readonly documents: number;
  readonly splitRows: number;
  /** Rows cut to `render.lengthTokens`. */
  readonly cutRows: number;
  readonly tokens: number;
  readonly learnedTokens: number;
  /** Rows that become no document. */
  readonly lost: readonly LostRow[];
  /** The engines that were asked (g), and of how many prompts. */
  readonly engines: readonly { readonly name: string; readonly prompts: number }[];
  /** Engines that could not be asked, each with the reason: nothing is known of them. */
  readonly absent: readonly AbsentEngine[];
  readonly failures: readonly GateFailure[];
}

type Lost = {
  readonly fate: 'too-long' | 'no-supervision' | 'not-rendered';
  readonly reason: string;
  readonly longestTokens?: number;
};
type Kept = {
  readonly documents: readonly (EncodedPart & { readonly whole: EncodedSample })[];
  readonly cutTokens: number;
  readonly split?: boolean;
};

/** What shards hold of a row (`shard/documents.ts`), or why they hold nothing of it. */
export type DocumentsOfRow = (sample: Sample) => Promise<Kept | Lost>;

interface LostRow extends Lost {
  readonly id: string;
  /** `file:line` */
  readonly place: string;
}

export interface AbsentEngine {
  readonly name: string;
  readonly reason: string;
}

export interface GateRequest {
  readonly encoder: Encoder;
  readonly documents: DocumentsOfRow;
  readonly samples: AsyncIterable<Sample> | Iterable<Sample>;
  readonly engines?: readonly PromptEngine[];
  readonly absent?: readonly AbsentEngine[];
  /** Names of engines that the model is not meant for: where they differ is a warning. */
  readonly warnOnly?: readonly string[];
  /** Leaves out rows that become no document: the shards' account holds them. */
  readonly trainedOnly?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Runs the conformance gate (`render/conformance.ts`) over what shards hold of rows, and asks each engine for its prompts (g).
 * Rows are checked whole; of what is cut off them, that it is missing is all that is said.
 */
export async function runGate(request: GateRequest): Promise<GateReport> {
  const {
    encoder,
    documents: documentsOf,
    samples,
    engines = [],
    absent = [],
    warnOnly = [],
    trainedOnly = false,
    signal,
  } = request;
  const counts = { rows: 0, documents: 0, splitRows: 0, cutRows: 0, tokens: 0, learnedTokens: 0 };
  const lost: LostRow[] = [];
  const asked = engines.map((engine) => ({ engine, prompts: 0 }));
  const failures: GateFailure[] = [];
  for await (const sample of samples) {
    signal?.throwIfAborted();
    const made = await documentsOf(sample);
    if ('fate' in made && trainedOnly) continue;
    counts.rows++;
    if ('fate' in made) {
      const { file, line } = sample.provenance;
      lost.push({ ...made, id: sample.id, place: `${file}:${line}` });
      for (const finding of lostFindings(made, encoder.check(sample))) failures.push(failureOf(finding, sample));
      continue;
    }
    if (made.split) counts.splitRows++;
    if (made.cutTokens > 0) counts.cutRows++;
    for (const { ids, weights } of made.documents) {
      counts.documents++;
      counts.tokens += ids.length;
      for (const weight of weights) if (weight > 0) counts.learnedTokens++;
    }
    const row = encoder.row(sample);
    const documents = row.ok ? row.documents : [];
    const findings: Finding[] = [
      ...encoder
        .check(sample)
        .filter((found) => isLeft(found, made) && !(trainedOnly && found.code === 'no-supervision')),
      ...cutFindings(made),
    ];
    for (const each of asked) {
      const served = await engineFindings({ engine: each.engine, encoder, sample, documents });
      each.prompts += served.prompts;
      const severity = warnOnly.includes(each.engine.name) ? 'warning' : 'error';
      findings.push(...served.findings.map((finding) => ({ ...finding, severity }) as const));
    }
    for (const finding of findings) failures.push(failureOf(finding, sample));
  }
  return {
    ok: failures.every(({ severity }) => severity !== 'error'),
    ...counts,
    lost,
    engines: asked.map(({ engine, prompts }) => ({ name: engine.name, prompts })),
    absent,
    failures,
  };
}

/** Too long a row is only named: whether that refuses the shards is theirs to say. */
function lostFindings({ fate, reason }: Lost, found: readonly Finding[]): readonly Finding[] {
  const check = fate === 'no-supervision' ? 'f' : null;
  const own = { check, code: fate, path: [], message: reason, document: 0, window: null } as const;
  if (fate === 'too-long') return [{ ...own, severity: 'warning' }];
  return found.some(({ severity }) => severity === 'error') ? found : [...found, { ...own, severity: 'error' }];
}

/** Whether the tokens of a finding are among those that are left of the row. */
function isLeft({ document, window }: Finding, { documents, cutTokens }: Kept): boolean {
  const part = documents[document];
  if (cutTokens === 0 || window === null || part === undefined) return true;
  return window.first < part.from + part.ids.length && window.first + window.tokens.length > part.from;
}

/** What a row lacks that was cut to length, as the recipe asks for. */
function cutFindings({ documents, cutTokens }: Kept): readonly Finding[] {
  if (cutTokens === 0) return [];
  return documents.flatMap(({ whole, from, ids }, document): Finding[] => {
    const to = from + ids.length;
    const found = { severity: 'warning', document, window: null } as const;
    const prompt: Finding = {
      ...{ ...found, check: 'a', code: 'prompt-cut', path: [] },
      message: `the first ${from} tokens are cut off, as render.overflow asks: serving does not cut them off the prompt`,
    };
    const answers = whole.turns
      .filter(({ endToken }) => endToken > to)
      .map(({ message, firstToken }): Finding => {
        const what = firstToken < to ? 'is cut before its end' : 'is cut off';
        return {
          ...{ ...found, check: 'b', code: 'stop-cut', path: ['messages', message] },
          message: `this answer ${what}, as render.overflow asks: that it ends is not learned`,
        };
      });
    return from > 0 ? [prompt, ...answers] : answers;
  });
}

function failureOf(finding: Finding, { id, provenance }: Sample): GateFailure {
  const { check, code, severity, path, message, fix = null, document, window } = finding;
  const turn = path[0] === 'messages' && typeof path[1] === 'number' ? path[1] : null;
  const row = { id, file: provenance.file, line: provenance.line };
  return { check, code, severity, row, turn, document, place: formatPath(path), message, fix, window };
}

const drawnFrom = 20_000;

/**
 * Rows drawn evenly from a stream of unknown length (reservoir sampling, Vitter's algorithm R), in their order; all of them
 * when there are few. The same for a seed. Only the first rows are looked at, so that a large dataset is not read for it.
 */
export async function drawRows<T>(rows: AsyncIterable<T>, ...[count, seed]: [number, number]): Promise<readonly T[]> {
  const random = randomStream(streamKey(seed, 0x9a7e));
  const kept: { readonly at: number; readonly row: T }[] = [];
  let at = 0;
  for await (const row of rows) {
    if (kept.length < count) kept.push({ at, row });
    else {
      const slot = random.below(at + 1);
      if (slot < count) kept[slot] = { at, row };
    }
    at++;
    if (at === drawnFrom) break;
  }
  return kept.toSorted((a, b) => a.at - b.at).map(({ row }) => row);
}

/** The first failures, each with its row, turn and tokens, as text. */
export function formatFailure({ check, code, severity, row, place, message, fix, window }: GateFailure): string {
  const letter = check === null ? '' : `(${check}) `;
  const lines = [
    `${severity} ${letter}${row.file}:${row.line}${place === '' ? '' : ` ${place}`}: ${message} [${code}]`,
  ];
  if (window) {
    const tokens = window.tokens.map(({ text, weight }) => (weight > 0 ? `⟦${text}⟧` : text)).join(' ');
    lines.push(`  tokens ${window.first} to ${window.first + window.tokens.length - 1}: ${tokens}`);
  }
  if (fix !== null) lines.push(`  ${fix}`);
  return lines.join('\n');
}

/** @throws MartletError `render-gate` when the report holds an error */
export function requireGate(report: GateReport): void {
  if (report.ok) return;
  const errors = report.failures.filter(({ severity }) => severity === 'error');
  const rows = new Set(errors.map(({ row }) => row.id)).size;
  const shown = errors.slice(0, 5).map(formatFailure);
  if (errors.length > shown.length) shown.push(`and ${errors.length - shown.length} more`);
  throw new MartletError(
    'render-gate',
    `the tokens of ${rows} of ${report.rows} rows looked at are not what training needs:\n${shown.join('\n')}`,
    { hint: 'martlet verify render <recipe> checks more of them; train.checkRows: 0 trains all the same.' },
  );
}
