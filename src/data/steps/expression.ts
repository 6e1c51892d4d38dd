import { MartletError } from '../../core/error.ts';
import { TemplateError } from '../../render/jinja/error.ts';
import { compileJinja } from '../../render/jinja/program.ts';
import { sourceTable, type TemplateData } from '../../render/messages.ts';
import type { Json } from '../../schema/common.ts';
import type { Message, Sample } from '../../schema/sample.ts';
import { wordsOfMessage } from './texts.ts';

/** An expression of chat templates over the columns of a row, in the same sandbox. */
export interface RowExpression {
  /** @throws TemplateError where Python would raise */
  value(columns: Columns): Json;
  holds(columns: Columns): boolean;
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
          hint: 'Expressions are those of chat templates, such as answer | length > 20 and score >= 3.',
        },
      );
    }
  };
  const asJson = compiled(`{{ (${source}\n) | tojson }}`);
  const asTruth = compiled(`{% if (${source}\n) %}1{% endif %}`);
  const run = (program: ReturnType<typeof compileJinja>, columns: Columns): string => {
    const table = sourceTable();
    const variables = new Map(
      Object.entries(columns).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, table.variable(name, value as TemplateData)] as const],
      ),
    );
    return program.render(variables, { now: noTime }).text;
  };
  return {
    value: (columns) => JSON.parse(run(asJson, columns)) as Json,
    holds: (columns) => run(asTruth, columns) === '1',
  };
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
