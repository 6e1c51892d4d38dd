import { formatCount } from '../../core/units.ts';
import type { SourceInspection } from '../../pipeline.ts';
import type { Message, Sample } from '../../schema/sample.ts';
import type { CliContext } from '../context.ts';
import { type Palette, palette } from './palette.ts';
import { formatTable, width } from './table.ts';

type Paper = Pick<CliContext, 'colour' | 'columns'>;

/** How a source is understood: format, columns, roles, lengths, what is left out, and its first samples. */
export function formatInspection(inspection: SourceInspection, context: Paper): string {
  const colours = palette(context);
  const { source, format, why, rows, isAll, samples, warnings } = inspection;
  const facts: [string, string][] = [
    ['format', `${colours.bold(format)}, because ${why}`],
    ['rows', `${formatCount(rows)}${isAll ? '' : ' looked at, of more'}: ${fatesOf(inspection)}`],
    ...spreads(inspection),
  ];
  return [
    `${colours.bold(source)}\n`,
    facts.map(([label, text]) => `${label.padEnd(labelWidth)}${text}\n`).join(''),
    `\n${columnTable(inspection, colours)}`,
    ...tallies('left out', inspection.leftOut, colours),
    ...tallies('changed or remarked on', inspection.changes, colours),
    ...(warnings.length > 0 ? ['\n', ...warnings.map((text) => `${colours.yellow('warning')}  ${text}\n`)] : []),
    ...samples.map((sample) => `\n${formatSample(sample, context, colours)}`),
  ].join('');
}

const labelWidth = 12;

const fatesOf = ({ fates }: SourceInspection): string =>
  Object.entries(fates)
    .map(([fate, count]) => `${formatCount(count)} ${fate === 'train' ? 'usable' : fate}`)
    .join(', ') || 'none';

function spreads({ roles, turns, characters, parts }: SourceInspection): [string, string][] {
  if (turns === null || characters === null) return [];
  const counted = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${formatCount(count)}`)
      .join(', ');
  const spread = ({ least, median, nineOfTen, most }: typeof turns): string =>
    least === most
      ? `all ${formatCount(most)}`
      : `${formatCount(least)} to ${formatCount(most)}, median ${formatCount(median)}, nine of ten up to ${formatCount(nineOfTen)}`;
  return [
    ['roles', counted(roles)],
    ['turns', spread(turns)],
    ['characters', spread(characters)],
    ...(Object.keys(parts).length > 0 ? [['rows with', counted(parts)] as [string, string]] : []),
  ];
}

function columnTable({ columns }: SourceInspection, colours: Palette): string {
  return formatTable(
    [{ title: 'column' }, { title: 'type' }, { title: 'null', align: 'right' }, { title: 'read as' }],
    columns.map(({ name, types, nulls, readAs }) => [
      name,
      Object.keys(types).join(', ') || 'nothing',
      `${percent(nulls)} %`,
      readAs ?? colours.dim('not read, kept'),
    ]),
  );
}

/** A share that is not nothing is never shown as 0. */
const percent = (share: number): string => (share > 0 && share < 0.005 ? '<1' : String(Math.round(share * 100)));

const tallies = (title: string, found: SourceInspection['leftOut'], colours: Palette): string[] =>
  found.length === 0
    ? []
    : [
        `\n${title}\n`,
        ...found.slice(0, 8).map(({ what, rows, first }) => `  ${formatCount(rows)} ${what}: ${colours.dim(first)}\n`),
        ...(found.length > 8 ? [`  and ${formatCount(found.length - 8)} kinds more\n`] : []),
      ];

const linesShown = 3;

/** A sample, a message a paragraph, each cut to a few lines. */
function formatSample(sample: Sample, context: Paper, colours: Palette): string {
  const { messages, rejected, rejectedFrom, ranked, positives, negatives, provenance, id, plain } = sample;
  const lines = [
    colours.dim(`${provenance.file}:${provenance.line}  ${id.slice(0, 12)}${plain ? '  plain text' : ''}`),
    ...messages.flatMap((message) => messageLines(message.role, message, context, colours)),
  ];
  const beside = (label: string, conversations: readonly (readonly Message[])[] = []): void => {
    for (const conversation of conversations)
      for (const message of conversation) lines.push(...messageLines(label, message, context, colours));
  };
  beside(rejectedFrom === undefined ? 'rejected' : `rejected (from ${rejectedFrom})`, rejected && [rejected]);
  for (const answer of ranked ?? []) beside(`ranked ${answer.score ?? answer.rank ?? ''}`, [answer.messages]);
  beside('like', positives);
  beside('unlike', negatives);
  for (const key of ['label', 'margin', 'solution', 'tools', 'objects', 'facts', 'variables', 'extra'] as const)
    if (sample[key] !== undefined) lines.push(...paragraph(key, JSON.stringify(sample[key]), context, colours));
  return `${lines.join('\n')}\n`;
}

function messageLines(label: string, message: Message, context: Paper, colours: Palette): string[] {
  const { content, reasoning_content: reasoning, tool_calls: calls = [], learn, weight } = message;
  const said = typeof content === 'string' ? content : (content ?? []).map(partText).join('');
  const control = [
    ...(learn === undefined ? [] : [learn ? 'learned' : 'not learned']),
    ...(weight === undefined ? [] : [`weight ${weight}`]),
  ];
  return [
    ...(reasoning === undefined ? [] : paragraph('reasoning', reasoning, context, colours)),
    ...(said === '' && calls.length > 0 ? [] : paragraph([label, ...control].join(', '), said, context, colours)),
    ...calls.flatMap(({ function: { name, arguments: given } }) =>
      paragraph('calls', `${name}(${typeof given === 'string' ? given : JSON.stringify(given)})`, context, colours),
    ),
  ];
}

type Part = Extract<Message['content'], readonly unknown[]>[number];

function partText(part: Part): string {
  if (part.type === 'text') return part.text;
  const address = part.type === 'image' ? part.image : part.type === 'audio' ? part.audio : part.video;
  const shown = typeof address === 'string' ? address : `${address.length} frames`;
  return `<${part.type} ${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown}>`;
}

/** A label and a text beside it, on as many lines as fit; control characters are shown, not sent to the terminal. */
function paragraph(label: string, text: string, ...[{ columns }, colours]: [Paper, Palette]): string[] {
  const room = Math.max(20, columns - labelWidth);
  const head = label.length < labelWidth ? colours.cyan(label) : `${colours.cyan(label)}\n${' '.repeat(labelWidth)}`;
  const lines = printable(text)
    .split('\n')
    .flatMap((line) => line.match(new RegExp(`.{1,${room}}`, 'gu')) ?? ['']);
  const kept = lines.slice(0, linesShown);
  if (lines.length > linesShown) kept.push(colours.dim(`... ${formatCount(text.length)} characters`));
  return kept.map((line, index) =>
    index === 0
      ? `${head}${head.includes('\n') ? '' : ' '.repeat(labelWidth - width(head))}${line}`
      : `${' '.repeat(labelWidth)}${line}`,
  );
}

const printable = (text: string): string =>
  text
    .replaceAll('\t', '    ')
    .replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (unit) =>
      unit === '\n' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
