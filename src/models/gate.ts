import { MartletError } from '../core/error.ts';
import { formatPath } from '../core/issue.ts';
import { randomStream, streamKey } from '../core/random.ts';
import { type Finding, firstDifference, type GateCheck, type RowDocument, type TokenWindow } from '../render/index.ts';
import type { Sample } from '../schema/sample.ts';
import type { Conversation, Encoder } from './encoder.ts';

/** An engine that answers prompts; asked for the ids it would compute on. */
export interface PromptSource {
  readonly name: string;
  promptIds(conversation: Conversation): Promise<readonly number[]> | readonly number[];
}

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
  readonly tokens: number;
  readonly learnedTokens: number;
  readonly failures: readonly GateFailure[];
}

export interface GateRequest {
  readonly encoder: Encoder;
  readonly samples: AsyncIterable<Sample> | Iterable<Sample>;
  readonly engines?: readonly PromptSource[];
  /** Leaves out rows that become no document: the shards' account holds them. */
  readonly trainedOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** Runs the conformance gate (`render/conformance.ts`) over rows, and asks each engine for its prompts (g). */
export async function runGate(request: GateRequest): Promise<GateReport> {
  const { encoder, samples, engines = [], trainedOnly = false, signal } = request;
  const counts = { rows: 0, documents: 0, splitRows: 0, tokens: 0, learnedTokens: 0 };
  const failures: GateFailure[] = [];
  for await (const sample of samples) {
    signal?.throwIfAborted();
    const row = encoder.row(sample);
    if (!row.ok && trainedOnly) continue;
    counts.rows++;
    const documents = row.ok ? row.documents : [];
    if (row.ok && row.split) counts.splitRows++;
    for (const { value } of documents) {
      counts.documents++;
      counts.tokens += value.ids.length;
      counts.learnedTokens += value.learnedTokens;
    }
    const findings = encoder.check(sample).filter(({ code }) => !trainedOnly || code !== 'no-supervision');
    const served = await Promise.all(
      engines.flatMap((engine) =>
        documents.map((each, index) => servedFindings({ engine, each, index, encoder, sample })),
      ),
    );
    for (const finding of [...findings, ...served.flat()]) failures.push(failureOf(finding, sample));
  }
  return { ok: failures.every(({ severity }) => severity !== 'error'), ...counts, failures };
}

function failureOf(finding: Finding, { id, provenance }: Sample): GateFailure {
  const { check, code, severity, path, message, fix = null, document, window } = finding;
  const turn = path[0] === 'messages' && typeof path[1] === 'number' ? path[1] : null;
  const row = { id, file: provenance.file, line: provenance.line };
  return { check, code, severity, row, turn, document, place: formatPath(path), message, fix, window };
}

interface ServedRequest {
  readonly engine: PromptSource;
  readonly each: RowDocument;
  readonly index: number;
  readonly encoder: Encoder;
  readonly sample: Sample;
}

/** (g): what an engine computes on before each learned answer is what the answer was trained behind. */
async function servedFindings({ engine, each, index, encoder, sample }: ServedRequest): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { value, request } = each;
  // Plain text is continued, not answered: no engine is asked with it.
  if (sample.plain) return findings;
  // Rendering may put a system message in front and join results of tools: answers keep their order.
  const answers = (messages: readonly { readonly role?: unknown }[]): number[] =>
    messages.flatMap(({ role }, at) => (role === 'assistant' ? [at] : []));
  const own = answers(sample.messages);
  const rendered = answers(request.messages);
  for (const turn of value.turns) {
    if (request.messages[turn.message]?.role !== 'assistant' || !turn.promptMatches) continue;
    const messages = sample.messages.slice(0, own[rendered.indexOf(turn.message)]);
    const theirs = await engine.promptIds({ ...sample, messages });
    const ours = value.ids.subarray(0, turn.firstToken);
    const different = firstDifference(theirs, ours);
    if (different < 0) continue;
    const named = (id: number | undefined): string =>
      id === undefined ? 'nothing' : `${id} (${JSON.stringify(encoder.tokenizer.tokenOf(id) ?? '?')})`;
    const first = Math.max(0, different - 4);
    findings.push({
      check: 'g',
      code: 'engine-differs',
      severity: 'error',
      path: ['messages', turn.message],
      message: `${engine.name} computes on ${named(theirs[different])} as token ${different} of the prompt, where training has ${named(ours[different])}`,
      fix: 'The engine renders or cuts the prompt otherwise: give it the template and tokenizer of the model.',
      document: index,
      window: {
        first,
        tokens: Array.from(value.ids.subarray(first, first + 9), (id, at) => ({
          id,
          text: encoder.tokenizer.tokenOf(id) ?? '?',
          weight: value.weights[first + at] ?? 0,
        })),
      },
    });
  }
  return findings;
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
