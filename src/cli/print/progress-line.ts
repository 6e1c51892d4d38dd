import { stripVTControlCharacters } from 'node:util';
import type { CliContext } from '../context.ts';
import { width } from './table.ts';

export interface ProgressLine {
  /** Shows the newest state. On a terminal it replaces the line; elsewhere it is printed now and then. */
  update(text: string): void;
  /** Prints a line that stays, above the moving one. */
  note(text: string): void;
  /** Takes the moving line away: what it told of is over. */
  clear(): void;
  /** Ends the moving line, leaving `text` (or its last state) behind. */
  finish(text?: string): void;
}

const clearLine = '\r\x1b[2K';

/** At most ten redraws a second on a terminal, one line in ten seconds elsewhere; the first state is shown at once. */
export function progressLine(
  context: Pick<CliContext, 'err' | 'isTerminal' | 'columns' | 'now'>,
  intervalMs = context.isTerminal ? 100 : 10_000,
): ProgressLine {
  let shownAt = Number.NEGATIVE_INFINITY;
  let shown = '';
  let latest = '';
  const draw = (text: string): void => {
    shown = text;
    context.err(context.isTerminal ? `${clearLine}${cut(text, context.columns - 1)}` : `${text}\n`);
  };
  return {
    update(text) {
      latest = text;
      const now = context.now().getTime();
      if (now - shownAt < intervalMs) return;
      shownAt = now;
      draw(text);
    },
    note(text) {
      context.err(context.isTerminal ? `${clearLine}${text}\n` : `${text}\n`);
      if (context.isTerminal && latest) draw(latest);
    },
    clear() {
      if (context.isTerminal && latest) context.err(clearLine);
      latest = '';
      shownAt = Number.NEGATIVE_INFINITY;
    },
    finish(text = latest) {
      if (text && (context.isTerminal || text !== shown)) draw(text);
      if (context.isTerminal && text) context.err('\n');
      latest = '';
    },
  };
}

/** A line that wraps cannot be redrawn. Escape sequences are dropped from a line that is too long. */
function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  return `${stripVTControlCharacters(text).slice(0, Math.max(0, columns - 1))}…`;
}
