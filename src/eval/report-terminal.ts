import picocolors from 'picocolors';
import type { Claim, EvalSample, Report } from '../schema/report.ts';
import { clearChange, formatInterval, formatMetric, metricOrder, metricStyle } from './metric-names.ts';

export interface TerminalOptions {
  readonly colour: boolean;
  readonly columns: number;
  /** Rows shown in full, base above tuned; 2 when absent. */
  readonly samples?: number;
}

/** The table base / tuned with 95 % intervals, then a few answers with their claims marked. Ends with a line feed. */
export function terminalReport(
  { report, samples }: { readonly report: Report; readonly samples: readonly EvalSample[] },
  options: TerminalOptions,
): string {
  const paint = picocolors.createColors(options.colour);
  const lines = [paint.bold(`${report.run}, ${report.checkpoint}`), '', ...table(report, paint), ''];
  if (Object.values(report.models.tuned ?? {}).some(({ interval }) => interval === 'none'))
    lines.push(paint.dim('Where no interval stands, too few rows are held out to say more than the number.'), '');
  const tuned = samples.filter((sample) => sample.model === 'tuned');
  // Answers with a failure teach more than those without.
  const failedFirst = [...tuned.filter(hasFailed), ...tuned.filter((sample) => !hasFailed(sample))];
  for (const sample of failedFirst.slice(0, options.samples ?? 2)) {
    const base = samples.find((other) => other.model === 'base' && other.id === sample.id);
    lines.push(paint.dim(`row ${sample.id.slice(0, 12)}`));
    for (const one of base ? [base, sample] : [sample])
      lines.push(...answerLines(one, { paint, columns: options.columns }));
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

export function hasFailed(sample: EvalSample): boolean {
  if (sample.scores.grounded !== undefined) return sample.scores.grounded < 1;
  return sample.scores.exactMatch !== undefined && sample.scores.exactMatch < 1;
}

type Paint = ReturnType<typeof picocolors.createColors>;

function table(report: Report, paint: Paint): string[] {
  const { base = {}, tuned = {} } = report.models;
  const head = ['', 'base', '95 %', 'tuned', '95 %', ''];
  const rows = metricOrder([...Object.keys(base), ...Object.keys(tuned)]).map((name) => {
    const [before, after] = [base[name], tuned[name]];
    const change = before && after ? clearChange(name, before, after) : 'unclear';
    return {
      change,
      cells: [
        metricStyle(name).label,
        before ? formatMetric(name, before.value) : '-',
        before ? formatInterval(name, before) : '',
        after ? formatMetric(name, after.value) : '-',
        after ? formatInterval(name, after) : '',
        change === 'unclear' ? '' : change,
      ],
    };
  });
  if (rows.length === 0) return [paint.dim('Nothing was measured: the recipe asks for no task.')];
  const widths = head.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row.cells[column] ?? '')].map((cell) => cell.length)),
  );
  const pad = (cell: string, column: number): string =>
    column === 0 || column === 5 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [
    paint.dim(head.map(pad).join('  ').trimEnd()),
    ...rows.map(({ cells, change }) => {
      const colour = change === 'better' ? paint.green : change === 'worse' ? paint.red : String;
      const padded = cells.map(pad);
      const isInterval = (column: number): boolean => column === 2 || column === 4;
      return padded
        .map((cell, column) => (isInterval(column) ? paint.dim(cell) : column >= 3 ? colour(cell) : cell))
        .join('  ')
        .trimEnd();
    }),
  ];
}

function answerLines(
  sample: EvalSample,
  { paint, columns }: { readonly paint: Paint; readonly columns: number },
): string[] {
  const label = sample.model.padEnd(6);
  const marks: Record<Claim['verdict'], (text: string) => string> = {
    supported: paint.green,
    contradicted: (text) => paint.red(paint.underline(text)),
    'not-found': paint.yellow,
  };
  const width = Math.max(20, columns - label.length);
  const lines = wrap(sample.answer.trim() === '' ? '(no answer)' : sample.answer, width);
  const painted = lines.map(({ text, start }) => {
    let line = '';
    let at = 0;
    for (const claim of sample.claims) {
      const from = Math.max(claim.start - start, 0);
      const to = Math.min(claim.end - start, text.length);
      if (to <= from || from < at) continue;
      line += text.slice(at, from) + marks[claim.verdict](text.slice(from, to));
      at = to;
    }
    return line + text.slice(at);
  });
  const reasons = sample.claims
    .filter((claim) => claim.verdict !== 'supported')
    .map(
      (claim) =>
        `${claim.verdict === 'contradicted' ? paint.red('x') : paint.yellow('?')} ${claim.text}: ${claim.reason}`,
    );
  return [...painted, ...reasons].map(
    (line, index) => (index === 0 ? paint.bold(label) : ' '.repeat(label.length)) + line,
  );
}

/** Lines of at most `width` characters, broken at spaces, with where each begins in the text. */
function wrap(text: string, width: number): { readonly text: string; readonly start: number }[] {
  const lines: { text: string; start: number }[] = [];
  for (const paragraph of text.matchAll(/[^\n]+/gu)) {
    let start = paragraph.index;
    const end = start + paragraph[0].length;
    while (start < end) {
      const rest = text.slice(start, end);
      const space = rest.length > width ? rest.lastIndexOf(' ', width) : -1;
      const length = rest.length <= width ? rest.length : space > 0 ? space : width;
      lines.push({ text: rest.slice(0, length), start });
      start += length + (rest[length] === ' ' ? 1 : 0);
    }
  }
  return lines;
}
