import { MartletError } from '../../core/error.ts';
import { TemplateError } from '../../render/jinja/error.ts';
import type { Json } from '../../schema/common.ts';
import { type Message, type Sample, sample as sampleSchema } from '../../schema/sample.ts';
import { optionsOf } from '../../schema/steps.ts';
import { type Columns, columnsOf, compileRowExpression, type RowExpression } from './expression.ts';
import { columnMeant, type Lacks } from './lacking-columns.ts';
import { type Drop, defineStep } from './step.ts';

const fixed = new Set(['id', 'split', 'source', 'file', 'line', 'turns', 'provenance', 'step']);
const said = { system: 'system', question: 'user', answer: 'assistant' } as const;
const fields = new Set(Object.keys(sampleSchema.shape).filter((name) => !fixed.has(name) && name !== 'extra'));

/** Sets columns by expression, renames them, takes them out. All expressions see the row as it was before. */
export const map = defineStep({
  name: 'map',
  version: 3,
  options: optionsOf('map'),
  open({ set, rename, remove }) {
    for (const name of [...Object.keys(set), ...Object.keys(rename), ...Object.values(rename), ...remove])
      if (fixed.has(name))
        throw new MartletError('column-fixed', `the column ${name} says where a row came from; map cannot change it`);
    const expressions = Object.entries(set).map(([name, source]) => [name, compileRowExpression(source)] as const);
    const read = expressions.flatMap(([, expression]) => ownNames(expression));
    const taken = [...new Set([...Object.keys(rename), ...remove, ...read])];
    return {
      kind: 'rows',
      apply(sample) {
        const before = columnsOf(sample);
        const told = lackingOf(before, taken);
        const changes = told?.changes ?? [];
        const wanted = new Map<string, Json | undefined>();
        let tried = '';
        try {
          for (const [name, expression] of expressions) {
            tried = set[name] ?? '';
            wanted.set(name, expression.value(before));
          }
        } catch (error) {
          if (!(error instanceof TemplateError)) throw error;
          return { ...told, drop: failed(error, tried) };
        }
        for (const [from, to] of Object.entries(rename)) {
          if (before[from] === undefined) continue;
          wanted.set(to, before[from]);
          wanted.set(from, undefined);
          changes.push(`${from} is now ${to}`);
        }
        for (const name of remove) wanted.set(name, undefined);
        let now: Sample = sample;
        for (const [name, value] of wanted) {
          if (JSON.stringify(before[name]) === JSON.stringify(value)) continue;
          const next = withColumn(now, name, value);
          if (next === now) continue;
          now = next;
          if (!(name in rename) && !Object.values(rename).includes(name))
            changes.push(value === undefined ? `${name} taken out` : `${name} set`);
        }
        if (now === sample) return told ?? null;
        const checked = sampleSchema.safeParse(now);
        if (checked.success) return { ...told, sample: now, changes };
        const [issue] = checked.error.issues;
        const reason = `map makes a row that is none: ${issue?.path.map(String).join('.')}: ${issue?.message}`;
        return { ...told, drop: { fate: 'invalid', code: 'not-a-row', reason } };
      },
    };
  },
});

/** Names an expression reads that are columns of the rows' own: what every sample may have, it may lack. */
export const ownNames = ({ names }: RowExpression): readonly string[] =>
  names.filter((name) => !fixed.has(name) && !(name in said) && !fields.has(name));

/** What a verdict says of those of `taken` that a row has not, and of what may have been meant; undefined when it has all. */
export function lackingOf(
  columns: Columns,
  taken: readonly string[],
): { readonly changes: string[]; readonly lacks: Lacks } | undefined {
  const lacking = taken.filter((name) => columns[name] === undefined);
  if (lacking.length === 0) return undefined;
  const names = Object.keys(columns).filter((name) => columns[name] !== undefined && !fixed.has(name));
  return {
    changes: lacking.map((name) => `has no column ${name}`),
    lacks: Object.fromEntries(lacking.map((name) => [name, columnMeant(name, names)])),
  };
}

export function failed(error: TemplateError, source: string): Drop {
  const hint = hintFor(error.message, source);
  return {
    fate: 'invalid',
    code: 'expression-failed',
    reason: `the expression fails: ${error.message}${hint && `; write ${hint}`}`,
  };
}

/** What may be written instead, of the two slips that are made most. */
function hintFor(message: string, source: string): string {
  const [, missing] = /^'(\w+)' is undefined$/.exec(message) ?? [];
  const compared = /([\w.]+|\w+\['[^']*'\])\s*([<>]=?)\s*(-?\d+(\.\d+)?)/.exec(source);
  if (missing !== undefined)
    return /[<>=]/.test(source)
      ? `${missing} is not defined or ${/ (?:and|or|if) /.test(source) ? `(${source})` : source}`
      : `${missing} | default('')`;
  if (!/ not supported between instances of .*'str'/.test(message)) return '';
  if (!compared) return 'texts as numbers: name | float';
  const [, name, sign, number, decimals] = compared;
  return `a text as a number: ${name} | ${decimals ? 'float' : 'int'} ${sign} ${number}`;
}

function withColumn(sample: Sample, ...[name, value]: [name: string, value: Json | undefined]): Sample {
  if (name in said) return withText(sample, said[name as keyof typeof said], value);
  if (fields.has(name)) {
    const { [name as 'tools']: _, ...rest } = sample;
    return value === undefined ? (rest as Sample) : ({ ...sample, [name]: value } as Sample);
  }
  const { [name]: _, ...others } = sample.extra ?? {};
  const extra = value === undefined ? others : { ...sample.extra, [name]: value };
  const { extra: __, ...bare } = sample;
  return Object.keys(extra).length > 0 ? { ...sample, extra } : (bare as Sample);
}

/** The system text, the last question or the last answer; a system text that is not there is put first, and what is undefined goes. */
function withText(sample: Sample, ...[role, value]: [role: Message['role'], value: Json | undefined]): Sample {
  const index =
    role === 'system'
      ? sample.messages.findIndex((message) => message.role === role)
      : sample.messages.findLastIndex((message) => message.role === role);
  const content =
    typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
  const before = sample.messages[index];
  if (value === undefined) return before ? { ...sample, messages: sample.messages.toSpliced(index, 1) } : sample;
  if (before) return { ...sample, messages: sample.messages.with(index, { ...before, content }) };
  const added: Message = { role, content };
  return { ...sample, messages: role === 'system' ? [added, ...sample.messages] : [...sample.messages, added] };
}
