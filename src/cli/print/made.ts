import { formatCount, formatCounted } from '../../core/units.ts';
import type { StepReuse } from '../../store/stage.ts';
import type { Artefact } from '../../store/store.ts';

type Facts = Artefact['lineage']['facts'];

/** One line for what a stage made or found made: `dataset market-brief@1   240 rows: 192 train, 48 heldout`. */
export function madeLine({ kind, address, lineage }: Artefact, isNew: boolean): string {
  const said = summaries[kind]?.(lineage.facts) ?? '';
  const note = isNew ? said : [said, 'made before'].filter(Boolean).join(', ');
  return `${kind.padEnd(9)}${address.padEnd(16)}  ${note}`.trimEnd();
}

/** `pieces   24 of 36 as the last build left them; done again: data.steps[1] (length)`, with how many where that is not all. */
export function reuseLine(steps: readonly StepReuse[]): string {
  const sum = (of: (step: StepReuse) => number): number => steps.reduce((total, step) => total + of(step), 0);
  const [pieces, taken] = [sum((step) => step.pieces), sum((step) => step.taken)];
  const done = steps.flatMap(({ step, ...each }, number) => {
    if (each.taken === each.pieces) return [];
    const name = number === 0 ? 'reading' : `data.steps[${number - 1}] (${step})`;
    return [
      each.taken === 0 ? name : `${name} ${formatCount(each.pieces - each.taken)} of ${formatCount(each.pieces)}`,
    ];
  });
  const again = done.length > 0 ? `; done again: ${done.join(', ')}` : '';
  const said =
    taken === 0
      ? `${formatCount(pieces)} done, none of an earlier build`
      : `${formatCount(taken)} of ${formatCount(pieces)} as the last build left them${again}`;
  return `${'pieces'.padEnd(9)}${said}`;
}

/** What is worth a look, from what the stage noted in the lineage. */
const summaries: Readonly<Partial<Record<Artefact['kind'], (facts: Facts) => string>>> = {
  plan: ({ hash }) => `hash ${String(hash).slice(0, 12)}`,
  dataset: ({ rowsIn, fates }) =>
    `${rows(rowsIn)}: ${entries(fates)
      .filter(([, rows]) => rows !== 0)
      .map(([fate, rows]) => `${count(rows)} ${fate}`)
      .join(', ')}`,
  shards: ({ splits, epochs, lost, firstLost, truncated }) => {
    const train = Object.fromEntries(entries(Object.fromEntries(entries(splits)).train));
    const first = Object.fromEntries(entries(firstLost));
    const named = first.place ? `, first ${String(first.place)} (${String(first.fate)})` : '';
    const losses = [lost !== 0 && `${rows(lost)} lost${named}`, truncated !== 0 && `${rows(truncated)} cut`];
    return [`${count(train.tokens)} tokens, ${count(train.learnedTokens)} learned${passes(train, epochs)}`, ...losses]
      .filter(Boolean)
      .join(', ');
  },
  run: ({ step, learnedTokens, checkpoint }) =>
    [
      formatCounted(Number(step), 'step'),
      learnedTokens !== undefined && `${count(learnedTokens)} tokens learned`,
      String(checkpoint),
    ]
      .filter(Boolean)
      .join(', '),
  report: ({ checkpoint }) => `base against ${String(checkpoint)}`,
  model: ({ certificates }) =>
    (Array.isArray(certificates) ? certificates : [])
      .map((certificate) => Object.fromEntries(entries(certificate)))
      .map(
        ({ format, maxLogitDifference }) =>
          `${String(format)} (${maxLogitDifference === 0 ? 'the same logits' : `logits within ${Number(maxLogitDifference).toPrecision(1)}`})`,
      )
      .join(', '),
};

/** The steps, and what of the rows they come to: tokens are those of one pass. Older shards do not say how many there are. */
function passes({ steps, rows }: Readonly<Record<string, unknown>>, epochs: unknown): string {
  const counted = formatCounted(Number(steps), 'step');
  if (typeof epochs !== 'number' || epochs === 1) return `, ${counted}`;
  if (epochs > 1) return ` a pass, ${counted}`;
  return ` a pass, ${counted} with ${count(Math.round(Number(rows) * epochs))} of ${formatCounted(Number(rows), 'row')}`;
}

const count = (value: unknown): string => formatCount(Number(value));
const rows = (value: unknown): string => formatCounted(Number(value), 'row');
const entries = (value: unknown): [string, unknown][] => Object.entries(value ?? {});
