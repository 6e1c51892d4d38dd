import { MartletError } from '../../core/error.ts';
import { readRows } from '../../store/rows/read-rows.ts';
import { parseRow } from '../parse-row.ts';
import { formatIssues, rowNotes } from '../row-notes.ts';

/** A row of an evaluation set: all its texts, wherever in it they stand. */
export interface ExamRow {
  /** Index of the file. */
  readonly file: number;
  readonly line: number;
  readonly texts: readonly string[];
}

/**
 * The rows of evaluation sets, by the readers that read sources: JSON, JSON lines, CSV, TSV, Parquet, text by its lines,
 * packed or not.
 * @throws MartletError `exam-unreadable` naming every file that cannot be read to its end, and every one without a text
 */
export async function readExams(files: readonly string[]): Promise<readonly ExamRow[]> {
  const exams: ExamRow[] = [];
  const wrong: Pick<MartletError, 'message' | 'hint'>[] = [];
  for (const [file, name] of files.entries())
    try {
      const rows = await Array.fromAsync(rowsOf(name));
      if (rows.every(({ texts }) => texts.length === 0))
        throw unreadable(`${name} holds no text to compare with`, 'Fill it, or take it out.');
      exams.push(...rows.map((row) => ({ ...row, file })));
    } catch (error) {
      if (!MartletError.is(error)) throw error;
      wrong.push({ message: error.message, hint: error.hint });
    }
  const [first, ...more] = wrong;
  if (!first) return exams;
  if (more.length === 0) throw unreadable(first.message, first.hint);
  // Each file has a fix of its own.
  throw unreadable(
    wrong.map(({ message, hint }) => `${message} (${hint?.replace(/\.$/, '') ?? 'check it'})`).join('; '),
  );
}

const unreadable = (message: string, hint = 'Check data.steps: contamination.'): MartletError =>
  new MartletError('exam-unreadable', message, { hint });

async function* rowsOf(file: string): AsyncGenerator<Omit<ExamRow, 'file'>> {
  for await (const raw of readRows(file, { textRows: 'line' })) {
    const notes = rowNotes({ file, line: raw.line });
    const row = parseRow(raw, notes);
    if (!row)
      throw unreadable(
        `${file} cannot be read as rows: ${formatIssues(notes.issues)}`,
        'Mend it; a file of plain lines must be called .txt.',
      );
    yield { line: raw.line, texts: [...stringsIn(row)] };
  }
}

function* stringsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) yield* stringsIn(member);
}
