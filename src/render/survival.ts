import type { Issue } from '../core/issue.ts';
import type { MessageField, Source } from './messages.ts';

/** A stretch of a rendering that came from a message. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  /** In the source, or -1 where rewritten. */
  readonly offset: number;
  readonly source: Extract<Source, { kind: 'message' }>;
}

/** The pieces of one message, in the order of the text. */
export function piecesOf(
  rendering: { readonly text: string; readonly runs: readonly number[]; readonly sources: readonly Source[] },
  index: number,
): Piece[] {
  const { text, runs, sources } = rendering;
  const pieces: Piece[] = [];
  for (let i = 0; i < runs.length; i += 3) {
    const source = sources[runs[i + 1] as number];
    if (source?.kind !== 'message' || source.index !== index) continue;
    const end = i + 3 < runs.length ? (runs[i + 3] as number) : text.length;
    pieces.push({ start: runs[i] as number, end, offset: runs[i + 2] as number, source });
  }
  return pieces;
}

/** Whether a message says this, rather than being labelled with it. */
export function isSaid(field: MessageField): boolean {
  return field !== 'role' && field !== 'name';
}

/**
 * What a learned message lost on its way through the template: text that does not appear, appears twice, or not as it was
 * written. White space at its edges may go, and a text that is taken apart and put together again is whole.
 * @param region the text that will be learned, up to the message's last character
 */
export function lostContent(request: {
  readonly index: number;
  readonly pieces: readonly Piece[];
  readonly sources: readonly Source[];
  readonly region: string;
}): Issue[] {
  const { index, pieces, sources, region } = request;
  const issues: Issue[] = [];
  const reported = new Set<string>();
  for (const source of sources) {
    if (source.kind !== 'message' || source.index !== index || !isSaid(source.field)) continue;
    if (source.field === 'other' || source.text.trim() === '' || isKind(source.path)) continue;
    // A template reads reasoning under one of its names; a dropped call is told once.
    const key =
      source.field === 'reasoning_content'
        ? source.field
        : (/^tool_calls\[\d+\]/.exec(source.path)?.[0] ?? source.path);
    const alternatives = pieces.filter((piece) =>
      source.field === 'reasoning_content' ? piece.source.field === source.field : piece.source === source,
    );
    if (reported.has(key)) continue;
    const state = stateOf(source, alternatives);
    if (state === 'whole' || (state === 'changed' && squashed(region).includes(squashed(source.text)))) continue;
    reported.add(key);
    issues.push({
      code: state === 'dropped' ? 'content-dropped' : 'content-rewritten',
      severity: 'error',
      path: [
        'messages',
        index,
        ...(source.field === 'reasoning_content' ? [source.field] : source.path.replace('#', '').split('.')),
      ],
      message:
        state === 'dropped'
          ? `the chat template leaves out ${excerpt(source.text)} of the message that is to be learned.`
          : `the chat template changes ${excerpt(source.text)} of the message that is to be learned.`,
      fix: fixFor(source.field),
    });
  }
  return issues;
}

/** The kind of a part (`text`, `image`) is for the template to read, not to print. */
const isKind = (path: string): boolean => /^content\[\d+\]\.type$/.test(path);

function stateOf(source: Piece['source'], pieces: readonly Piece[]): 'whole' | 'changed' | 'dropped' {
  if (pieces.length === 0) return 'dropped';
  if (source.field === 'argument' || source.field === 'tool_name') return 'whole';
  const leading = source.text.length - source.text.trimStart().length;
  let next: number | undefined;
  for (const { offset, start, end } of pieces) {
    const follows = next === undefined ? offset <= leading : offset === next;
    if (offset < 0 || !follows) return 'changed';
    next = offset + end - start;
  }
  return (next ?? 0) >= source.text.trimEnd().length ? 'whole' : 'changed';
}

function squashed(text: string): string {
  return text.replace(/\s+/g, '');
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}...` : text);
}

function fixFor(field: MessageField): string {
  if (field === 'reasoning_content')
    return 'Many templates keep the reasoning of the last turn only: set render.rewritten: split, or render.learn: last.';
  if (field === 'argument' || field === 'tool_name')
    return 'The template has no place for tool calls: choose one that has, or a format of render.agent.';
  return 'Set learn: false on this message, or choose a template that keeps it.';
}
