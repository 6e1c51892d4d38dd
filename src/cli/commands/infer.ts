import { open, truncate } from 'node:fs/promises';
import { resolve } from 'node:path';
import { servingDefaults } from '../../core/serving-defaults.ts';
import { stoppedError, tellsOfStop } from '../../core/stopped.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { givenFileFailure } from '../given-file.ts';
import { collect, decimal, positive, wholeNumber } from '../option-values.ts';
import { progressLine } from '../print/progress-line.ts';

/** Rows without an answer that are named, for each reason. */
const shownFailures = 3;

interface InferFlags {
  readonly input?: string;
  readonly set: readonly string[];
  readonly output?: string;
  readonly model?: string;
  readonly base?: string;
  readonly maxTokens?: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly seed: number;
  readonly slots: number;
  readonly maxLength: number;
}

export const command: CommandModule = {
  register(infer, context) {
    infer
      .option(
        '--input <file>',
        'rows to answer, as data.sources reads them: a file (JSONL, CSV, Parquet ...), a pattern, hf:org/name',
      )
      .option(
        '--set <path=value>',
        'how the rows are read, such as data.sources[0].limit=20; steps are not applied; may be repeated',
        collect,
        [],
      )
      .option('--output <file>', 'one line of answer a row; rows it holds already are not asked again')
      .option('--model <name>', 'an exported model, or "base"; the last one exported unless given')
      .option('--base <address>', 'the base model: hf:org/name@rev, a folder, a .gguf file ...')
      .option('--max-tokens <n>', 'longest answer; what fits unless given', positive)
      .option('--temperature <t>', 'from 0 (the likeliest words) to 2', decimal, 0)
      .option('--top-p <p>', 'draw from the likeliest words that hold this share', decimal)
      .option('--seed <n>', 'of the draws', wholeNumber, 0)
      .option('--slots <n>', 'rows answered at a time', positive, servingDefaults.slots)
      .option('--max-length <tokens>', 'most tokens of prompt and answer', positive, servingDefaults.maxLength)
      .allowExcessArguments()
      .action(({ input, ...flags }: InferFlags) => {
        const [file] = infer.args;
        if (file !== undefined) infer.error(`error: a file of rows is named with --input: --input ${file}`);
        // Asked for here, so that a flag that does not exist is named first.
        if (input === undefined) return infer.error("error: required option '--input <file>' not specified");
        return run({ input, ...flags }, context);
      });
  },
};

async function run(flags: InferFlags & { readonly input: string }, context: CliContext): Promise<void> {
  const [{ answerDigest, answeredRows, answerRows, openBackend }, { openServed }, { readBatchInput }] =
    await Promise.all([import('../../pipeline.ts'), import('../open-served.ts'), import('../batch-input.ts')]);
  const { cwd, signal } = context;
  const asBase = flags.model === 'base' || (flags.model === undefined && flags.base !== undefined);
  const line = progressLine(context);
  const { maxTokens, topP, temperature, seed, slots, maxLength } = flags;
  // All that is wrong with the rows is said before a model is loaded.
  const rows = await readBatchInput(flags.input, {
    context,
    set: flags.set,
    settings: {
      temperature,
      seed,
      ...(topP === undefined ? {} : { top_p: topP }),
      ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    },
  });
  const opened = await openServed(context, {
    models: flags.model === undefined || flags.model === 'base' ? [] : [flags.model],
    base: flags.base,
    log: line.note,
  });
  const model = asBase ? 'base' : (opened.models.at(-1) ?? 'base');
  const output = flags.output === undefined ? undefined : resolve(cwd, flags.output);
  await using backend = await openBackend({ ...opened, slots, maxLength });
  const refused = (error: unknown): never => {
    throw givenFileFailure(error, { file: output ?? '', flag: '--output', doing: 'write' });
  };
  const digests = rows.map((row) => answerDigest(row, { backend, model }));
  const known = output === undefined ? { count: 0, bytes: 0 } : await answeredRows(output, digests).catch(refused);
  if (known.count > 0) line.note(`${known.count} of ${rows.length} rows are answered already`);
  await using file = output === undefined ? undefined : await open(output, 'a').catch(refused);
  // A line that was cut short by an interruption is written anew.
  if (output !== undefined) await truncate(output, known.bytes);
  let done = known.count;
  const failed = new Map<string, number>();
  const left = rows.slice(known.count);
  try {
    for await (const answer of answerRows({ backend, model, rows: left, atOnce: 2 * slots, signal })) {
      const written = `${JSON.stringify(answer)}\n`;
      if (file) await file.appendFile(written);
      else context.out(written);
      if (answer.error) {
        const { code, message } = answer.error;
        const before = failed.get(code) ?? 0;
        failed.set(code, before + 1);
        if (before < shownFailures) line.note(`${answer.file}:${answer.line} ${message} [${code}]`);
      }
      line.update(`${++done} of ${rows.length} rows answered`);
    }
  } catch (error) {
    if (!tellsOfStop(error, signal)) throw error;
    const answered = `stopped: ${done} of ${rows.length} rows are answered`;
    throw output === undefined
      ? stoppedError(answered, {
          next: 'With --output <file>, the same command goes on behind what is answered.',
          cause: error,
        })
      : stoppedError(`${answered}, and stand in ${output}`, {
          next: 'Give the same command again: it goes on behind them.',
          cause: error,
        });
  } finally {
    line.finish();
  }
  for (const [code, count] of failed)
    if (count > shownFailures) line.note(`${count} of ${rows.length} rows have no answer for that reason [${code}]`);
  if (failed.size > 0) context.setExitCode(1);
}
