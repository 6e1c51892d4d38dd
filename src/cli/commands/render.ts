import { MartletError } from '../../core/error.ts';
import type { CommandModule } from '../command.ts';

interface RenderFlags {
  readonly template?: string;
  readonly input?: string;
  readonly tokenizer?: string;
  readonly learn: string;
  readonly output?: string;
  readonly now?: string;
  readonly json?: true;
}

export const command: CommandModule = {
  register(render, context) {
    render
      .option('--template <file or model>', 'a Jinja file, or the address or folder of a model')
      .option('--input <rows.jsonl>', 'rows: messages, and any other variable of the template; - for standard input')
      .option('--tokenizer <model>', 'give ids and mask too, with the tokenizer of this model')
      .option('--learn <rules>', 'what the mask marks, as render.learn says it', 'assistant')
      .option('--output <file>', 'write there, rather than to standard output')
      .option('--now <time>', 'the moment strftime_now tells (ISO 8601, UTC unless it says otherwise)')
      .option('--json', 'say nothing beside the lines of JSON')
      .action(async (flags: RenderFlags) => {
        const { template, input } = flags;
        // Not commander's required options: those are asked for before a slip in another flag is told.
        if (template === undefined || input === undefined)
          throw new MartletError('argument-missing', `--${template === undefined ? 'template' : 'input'} is missing`, {
            hint: 'Write martlet render --template chat.jinja --input rows.jsonl.',
          });
        const { renderRows } = await import('../render-rows.ts');
        await renderRows(context, { ...flags, template, input });
      });
  },
};
