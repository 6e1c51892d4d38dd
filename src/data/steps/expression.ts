import { MartletError } from '../../core/error.ts';
import { children, type Expr, type Stmt } from '../../render/jinja/ast.ts';
import { TemplateError } from '../../render/jinja/error.ts';
import { globalNames } from '../../render/jinja/globals.ts';
import { parseTemplate } from '../../render/jinja/parser.ts';
import { compileJinja } from '../../render/jinja/program.ts';
import { isStr, textOf } from '../../render/jinja/text.ts';
import { sourceTable, type TemplateData } from '../../render/messages.ts';
import type { Json } from '../../schema/common.ts';
import type { Message, Sample } from '../../schema/sample.ts';
import { wordsOfMessage } from './texts.ts';

/** An expression of chat templates over the columns of a row, in the same sandbox. */
export interface RowExpression {
  /** @throws TemplateError where Python would raise */
  value(columns: Columns): Json;
  holds(columns: Columns): boolean;
  /** Columns it counts on: it asks of none of them whether it is there. */
  readonly names: readonly string[];
}

export type Columns = Readonly<Record<string, Json | undefined>>;

/** A clock that stands: what a step does must not hang on when it is done. */
const noTime = (): Date => new Date(0);

/** @throws MartletError `expression-syntax` with the expression */
export function compileRowExpression(source: string): RowExpression {
  const compiled = (template: string) => {
    try {
      return compileJinja(template);
    } catch (cause) {
      if (!(cause instanceof TemplateError)) throw cause;
      throw new MartletError(
        'expression-syntax',
        `the expression ${JSON.stringify(source)} cannot be read: ${cause.message}`,
        {
          cause,
          hint: "Expressions are those of chat templates, such as answer | length > 20 and score >= 3. A column whose name is no word is row['Ref No.'].",
        },
      );
    }
  };
  const asJson = compiled(`{{ (${source}\n) | tojson }}`);
  const asTruth = compiled(`{% if (${source}\n) %}1{% endif %}`);
  const run = (program: ReturnType<typeof compileJinja>, columns: Columns): string => {
    const table = sourceTable();
    // A column whose name is no word can be reached: row['Ref No.'].
    const all =
      Object.hasOwn(columns, 'row') || !/\brow\b/.test(source) ? columns : { ...columns, row: rowOf(columns) };
    const variables = new Map(
      Object.entries(all).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, table.variable(name, value as TemplateData)] as const],
      ),
    );
    return program.render(variables, { now: noTime }).text;
  };
  return {
    value: (columns) => JSON.parse(run(asJson, columns)) as Json,
    holds: (columns) => run(asTruth, columns) === '1',
    names: namesIn(source),
  };
}

const rowOf = (columns: Columns): Json =>
  Object.fromEntries(Object.entries(columns).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));

const asking: Readonly<Record<'filter' | 'test', readonly string[]>> = {
  filter: ['default', 'd'],
  test: ['defined', 'undefined', 'none'],
};

/** Names that are read in an expression, but for those it asks about (`score is defined`, `score | default(0)`). */
function namesIn(source: string): readonly string[] {
  const read = new Set<string>();
  const asked = new Set<string>();
  const globals = globalNames(noTime);
  const walk = (node: Expr | Stmt): void => {
    if (node.type === 'name' && node.context === 'load' && node.name !== 'row' && !globals.has(node.name))
      read.add(node.name);
    const column = columnIn(node);
    if (column !== undefined) read.add(column);
    if ((node.type === 'filter' || node.type === 'test') && asking[node.type].includes(node.name))
      if (node.object?.type === 'name') asked.add(node.object.name);
      else if (node.object) asked.add(columnIn(node.object) ?? '');
    for (const child of children(node)) walk(child);
  };
  for (const node of parseTemplate(`{{ (${source}\n) }}`)) walk(node);
  return [...read].filter((name) => !asked.has(name));
}

/** The column that `row['Ref No.']` reads. */
function columnIn(node: Expr | Stmt): string | undefined {
  if (node.type !== 'getitem' || node.object.type !== 'name' || node.object.name !== 'row') return undefined;
  return node.index.type === 'const' && isStr(node.index.value) ? textOf(node.index.value) : undefined;
}

/** What an expression sees: the fields of a row, its other columns beside them, and the texts most asked for. */
export function columnsOf(sample: Sample): Columns {
  const { extra = {}, provenance, id, split, ...fields } = sample;
  const last = (role: Message['role']) => sample.messages.findLast((message) => message.role === role);
  const say = (message: Message | undefined): string | undefined => message && wordsOfMessage(message);
  return {
    ...extra,
    ...(fields as unknown as Columns),
    id,
    split,
    source: provenance.source,
    file: provenance.file,
    line: provenance.line,
    system: say(sample.messages.find(({ role }) => role === 'system')),
    question: say(last('user')),
    answer: say(last('assistant')),
    turns: sample.messages.length,
  };
}
