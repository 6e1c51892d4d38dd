import type { EncodedSample, TokenOrigin } from './encode-sample.ts';

export interface FormatOptions {
  readonly colour: boolean;
  /** Width to wrap at. */
  readonly columns: number;
}

const reset = '\u001b[0m';
/** Neighbouring tokens alternate between two shades, so that their edges show. */
const shades: Readonly<Record<TokenOrigin, readonly [string, string]>> = {
  template: ['\u001b[2m', '\u001b[2;3m'],
  prompt: ['', '\u001b[4m'],
  learned: ['\u001b[30;42m', '\u001b[30;102m'],
};
/** Without colour, brackets around each stretch of one kind. */
const brackets: Readonly<Record<TokenOrigin, readonly [string, string]>> = {
  template: ['‹', '›'],
  prompt: ['', ''],
  learned: ['⟦', '⟧'],
};

/** What the marks of `formatTokens` without colour mean, in one line. */
export const tokensLegend = `${(['template', 'prompt', 'learned'] as const)
  .map((origin) => brackets[origin].join(origin === 'prompt' ? 'prompt, unmarked' : origin))
  .join('  ')}  ↵ line break  · further token of the character before`;

/**
 * The tokens of a row for a terminal: what the template wrote dim, context plain, what is learned highlighted; line breaks
 * visible. Ends with a line of counts.
 */
export function formatTokens(sample: EncodedSample, { colour, columns }: FormatOptions): string {
  const { ids, origins, offsets, text } = sample;
  let output = '';
  let column = 0;
  let shown = 0;
  let previous: TokenOrigin | undefined;
  const put = (visible: string, style: string): void => {
    const width = widthOf(visible);
    if (column + width > columns && column > 0) {
      output += '\n';
      column = 0;
    }
    output += style === '' ? visible : `${style}${visible}${reset}`;
    column += width;
  };
  for (let i = 0; i < ids.length; i++) {
    const origin = origins[i] ?? 'prompt';
    const from = Math.max(shown, offsets[i * 2] ?? 0);
    const to = Math.max(from, offsets[i * 2 + 1] ?? 0);
    shown = to;
    if (!colour && origin !== previous) {
      if (previous) put(brackets[previous][1], '');
      put(brackets[origin][0], '');
    }
    previous = origin;
    const style = colour ? shades[origin][i % 2 === 0 ? 0 : 1] : '';
    // A character that takes several tokens is shown with the first; the others leave a dot each.
    const piece = to > from ? text.slice(from, to) : '·';
    piece.split('\n').forEach((line, index) => {
      if (index > 0) {
        put('↵', style);
        output += '\n';
        column = 0;
      }
      if (line !== '') put(visible(line), style);
    });
  }
  if (!colour && previous) put(brackets[previous][1], '');
  const counts = `${ids.length} tokens, ${sample.learnedTokens} learned`;
  return `${output}${column > 0 ? '\n' : ''}${colour ? `\u001b[1m${counts}${reset}` : counts}`;
}

function visible(text: string): string {
  return text.replace(/\t/g, '→').replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}

function widthOf(text: string): number {
  let width = 0;
  for (const character of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(
        character,
      )
        ? 2
        : /\p{Mn}/u.test(character)
          ? 0
          : 1;
  return width;
}
