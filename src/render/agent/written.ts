/**
 * Text a format wrote around what a row said. `own` are the stretches that are the format's words: a control token there
 * is that token, while one that a row spells stays ordinary text.
 */
export interface Written {
  readonly text: string;
  readonly own: readonly (readonly [start: number, end: number])[];
}

/** What a row said, as text; or what was written around it. */
export type Piece = string | Written;

/** A template literal whose own letters are the format's words, and whose values are what a row said. */
export function words(strings: TemplateStringsArray, ...values: readonly Piece[]): Written {
  const pieces: Written[] = [];
  strings.forEach((text, index) => {
    pieces.push(ownWords(text));
    const value = values[index];
    if (value !== undefined) pieces.push(written(value));
  });
  return together(pieces);
}

/** Words of the format. */
export function ownWords(text: string): Written {
  return { text, own: text === '' ? [] : [[0, text.length]] };
}

export function written(piece: Piece): Written {
  return typeof piece === 'string' ? { text: piece, own: [] } : piece;
}

/** Pieces one behind the other, with words of the format between them. */
export function join(pieces: readonly Piece[], between = ''): Written {
  return together(
    pieces.flatMap((piece, index) => (index === 0 ? [written(piece)] : [ownWords(between), written(piece)])),
  );
}

function together(pieces: readonly Written[]): Written {
  let text = '';
  const own: (readonly [number, number])[] = [];
  for (const piece of pieces) {
    for (const [start, end] of piece.own) {
      const last = own.at(-1);
      const from = start + text.length;
      // A token may begin in one stretch and end in the next.
      if (last && last[1] === from) own[own.length - 1] = [last[0], end + text.length];
      else own.push([from, end + text.length]);
    }
    text += piece.text;
  }
  return { text, own };
}
