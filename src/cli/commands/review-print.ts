import { isAbsolute, relative } from 'node:path';
import { judgedLine, type ReviewedAnswer } from '../../pipeline.ts';
import type { Capture } from '../../schema/deployment.ts';
import type { Claim } from '../../schema/report.ts';
import type { CliContext } from '../context.ts';
import { type Palette, palette } from '../print/palette.ts';

/** Question and answer, the claims of the answer marked, and below it why each unsupported one is. */
export function formatAnswer(answer: ReviewedAnswer, context: Pick<CliContext, 'colour' | 'cwd'>): string {
  const colours = palette(context);
  const { capture, messages, claims, judged } = answer;
  const cut = brokenOff.includes(capture.finishReason) ? '; broken off' : '';
  const given = `${shortTime(capture.at)} by ${capture.model}, ${originOf(capture, context)}${cut}`;
  const lines = [`${colours.dim('given'.padEnd(10))}${given}`];
  for (const { role, content } of messages) lines.push(`${colours.dim(role.padEnd(10))}${printable(textOf(content))}`);
  lines.push(`${colours.bold('answer'.padEnd(10))}${markClaims(printable(capture.answer), claims, colours)}`);
  for (const { verdict, text, reason } of claims) {
    if (verdict === 'supported') continue;
    const mark = verdict === 'contradicted' ? colours.red('✗ contradicted') : colours.yellow('? not found');
    lines.push(`${' '.repeat(10)}${mark} ${colours.bold(printable(text))}: ${printable(reason)}`);
  }
  if (judged !== null) {
    const { text, reason } = judged.judgement;
    lines.push(`${colours.dim('judged'.padEnd(10))}${printable(judgedLine(judged))}`);
    if (reason !== null) lines.push(`${colours.dim('reason'.padEnd(10))}${printable(reason)}`);
    if (text !== null) lines.push(`${colours.dim('edited'.padEnd(10))}${printable(text)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Why an answer may end in the middle. */
const brokenOff: readonly string[] = ['aborted', 'failed'];

/** What the answer was asked by: `serve`, or `infer questions.csv:3`. */
export function originOf({ row }: Pick<Capture, 'row'>, { cwd }: Pick<CliContext, 'cwd'>): string {
  if (!row) return 'serve';
  const near = isAbsolute(row.file) ? relative(cwd, row.file) : row.file;
  return printable(`infer ${near.startsWith('..') ? row.file : near}:${row.line}`);
}

/** To the minute: `2026-01-02 03:04`. */
export const shortTime = (at: string): string => at.slice(0, 16).replace('T', ' ');

/** How many claims there are and how many the facts do not bear out: `4 claims, 1 contradicted`. */
export function countClaims(claims: readonly Claim[]): string {
  const count = (verdict: Claim['verdict']): number => claims.filter((claim) => claim.verdict === verdict).length;
  const parts = [`${claims.length} claim${claims.length === 1 ? '' : 's'}`];
  if (count('contradicted') > 0) parts.push(`${count('contradicted')} contradicted`);
  if (count('not-found') > 0) parts.push(`${count('not-found')} not found`);
  return parts.join(', ');
}

/** What a model or a client wrote must not steer the terminal. One character stays one, so that offsets hold. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\u{fffd}');
}

function markClaims(text: string, claims: readonly Claim[], colours: Palette): string {
  const paint = {
    supported: colours.green,
    contradicted: (words: string) => colours.red(colours.underline(words)),
    'not-found': (words: string) => colours.yellow(colours.underline(words)),
  };
  let marked = '';
  let at = 0;
  for (const { start, end, verdict } of [...claims].sort((a, b) => a.start - b.start)) {
    if (start < at) continue;
    marked += text.slice(at, start) + paint[verdict](text.slice(start, end));
    at = end;
  }
  return marked + text.slice(at);
}

function textOf(content: ReviewedAnswer['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content === null || content === undefined ? '' : JSON.stringify(content);
}
