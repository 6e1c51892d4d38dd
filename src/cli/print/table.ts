import { stripVTControlCharacters } from 'node:util';

export interface Column {
  readonly title: string;
  /** Numbers to the right. `left` unless set. */
  readonly align?: 'left' | 'right';
}

/** Columns two spaces apart under their titles; cells may hold colours. Ends with a line end. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index] ?? ''))));
  return lines
    .map((line) => {
      const cells = columns.map((column, index) => {
        const cell = line[index] ?? '';
        const gap = ' '.repeat((widths[index] ?? 0) - width(cell));
        return column.align === 'right' ? gap + cell : cell + gap;
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** Printed width, in UTF-16 units without escape sequences. */
export function width(text: string): number {
  return stripVTControlCharacters(text).length;
}
