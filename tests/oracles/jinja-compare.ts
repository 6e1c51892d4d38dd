import { oracle } from '../support/oracle.ts';
import { comparable, compileOwn, difference, type Result, renderOwn } from './jinja-own.ts';

/** A rendering that differs, or whose provenance is wrong. */
export interface Difference {
  readonly template: string;
  readonly input: string;
  readonly said: string;
}

export interface Comparison {
  /** How many renderings were compared; the others are those that neither side can be held to. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

/** Each template with each input (or the given pairs of indices), here and in Python. */
export async function compareTable(table: {
  readonly templates: readonly string[];
  readonly inputs: readonly string[];
  readonly pairs?: readonly (readonly [template: number, input: number])[];
  readonly now?: string;
}): Promise<Comparison> {
  const { templates, inputs, now = '1970-01-01T00:00:00' } = table;
  const pairs = table.pairs ?? templates.flatMap((_, template) => inputs.map((_, input) => [template, input] as const));
  const differences: Difference[] = [];
  let compared = 0;
  // In pieces, so that neither side holds too much text.
  for (let from = 0; from < pairs.length; from += 20_000) {
    const piece = pairs.slice(from, from + 20_000);
    const first = piece[0]?.[0] ?? 0;
    const own = templates.slice(first, (piece.at(-1)?.[0] ?? 0) + 1);
    const { results } = await oracle<{ results: ([string] | [null, string])[] }>('jinja_table', {
      templates: own,
      inputs: [...inputs],
      now,
      pairs: piece.map(([template, input]) => [template - first, input]),
    });
    const programs = own.map(compileOwn);
    for (const [index, [template, input]] of piece.entries()) {
      const program = programs[template - first];
      const [text, error] = results[index] ?? [null];
      const python: Result = text === null ? { error: error ?? '' } : { text };
      const data = inputs[input] as string;
      const rendered = renderOwn(program ?? {}, data, new Date(`${now}Z`));
      if (!comparable(rendered)) continue;
      compared++;
      const said = difference(rendered, python);
      if (said !== undefined) differences.push({ template: templates[template] as string, input: data, said });
    }
  }
  return { compared, differences };
}
