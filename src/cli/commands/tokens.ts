import { MartletError } from '../../core/error.ts';
import type { CommandModule } from '../command.ts';
import { collect } from '../option-values.ts';

/** Flags of `martlet tokens`, as `tokens-rows.ts` works on them. */
export interface TokensFlags {
  readonly row?: string;
  readonly rows?: string;
  readonly set: readonly string[];
  readonly base?: string;
  readonly messages?: string;
  readonly model?: string;
  readonly learn?: string;
  readonly json?: true;
  readonly html?: string;
  readonly summary?: true;
}

export const command: CommandModule = {
  register(tokens, context) {
    tokens
      .argument('[recipe]', 'the recipe file')
      .option('--row <n>', 'the row to show, counted from 1 over the rows that are kept; 1 unless given')
      .option('--rows <n>', 'how many rows to show, from there on; 1 unless given')
      .option('--set <path=value>', 'give a value of the recipe; may be repeated', collect, [])
      .option('--base <address>', 'look with the tokenizer and template of this model instead')
      .option('--messages <file>', 'without a recipe: rows in any format a recipe takes')
      .option('--model <address>', 'without a recipe: the model')
      .option('--learn <rules>', 'without a recipe: what is learned, as render.learn says it; assistant unless given')
      .option('--html <file>', 'write a page: each token with its id, text, source and weight')
      .option('--summary', 'one line a source: tokens, share learned, lengths, truncations')
      .option('--json', 'print ids, weights and where each token came from as one JSON line a row')
      .action(async (recipe: string | undefined, flags: TokensFlags) => {
        for (const [name, text] of [
          ['--row', flags.row],
          ['--rows', flags.rows],
        ] as const)
          if (text !== undefined && (!Number.isInteger(Number(text)) || Number(text) < 1))
            throw new MartletError('wrong-value', `${name} ${text} is not a number of rows`, {
              hint: 'Rows count from 1.',
            });
        refuseTogether(recipe, flags);
        const { showTokens } = await import('../show-tokens.ts');
        await showTokens(context, recipe, flags);
      });
  },
};

/** Flags of which one would be ignored beside the other. @throws MartletError `invalid-input` */
function refuseTogether(recipe: string | undefined, flags: TokensFlags): void {
  const { base, messages, model, learn, html, summary, row, rows, json } = flags;
  const ofSummary = summary && ['--summary', '--summary tells of all rows'];
  const apart = [
    recipe !== undefined &&
      messages !== undefined && [
        '--messages',
        recipe,
        `other rows for a recipe: --set data.sources[0].from=${messages}`,
      ],
    recipe !== undefined && model !== undefined && ['--model', recipe, `another model for a recipe: --base ${model}`],
    recipe !== undefined && learn !== undefined && ['--learn', recipe, `of a recipe: --set render.learn=${learn}`],
    recipe === undefined && base !== undefined && ['--base', '--messages', `without a recipe: --model ${base}`],
    ofSummary && html !== undefined && ['--html', ...ofSummary],
    ofSummary && row !== undefined && ['--row', ...ofSummary],
    ofSummary && rows !== undefined && ['--rows', ...ofSummary],
    html !== undefined && json && ['--json', '--html', 'leave out one of them'],
  ].filter((each) => Array.isArray(each));
  if (apart.length === 0) return;
  throw new MartletError(
    'invalid-input',
    apart
      .map(([flag, other]) => `${flag} has no effect beside ${other === recipe ? `the recipe ${recipe}` : other}`)
      .join('; '),
    {
      hint: [...new Set(apart.map(([, , fix]) => fix))].join('; '),
    },
  );
}
