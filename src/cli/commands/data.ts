import { InvalidArgumentError } from 'commander';
import type { CommandModule } from '../command.ts';
import type { InspectFlags } from '../inspect-data.ts';
import { addLedgerCommands } from '../ledger-commands.ts';
import { collect } from '../option-values.ts';
import { addStage } from '../stage-command.ts';

export const command: CommandModule = {
  register(data, context) {
    addStage(
      data.command('build').description('build the dataset of a recipe: rows, and a ledger of what became of each'),
      context,
      'data',
      // Rows hang on no plan: a build that fails leaves none behind.
      ['plan'],
    );
    data
      .command('inspect')
      .description(
        'say how rows are understood: format and why, columns, roles, lengths, what is left out, first samples',
      )
      .argument('<source>', 'a source as a recipe names it (a file, hf:org/name ...), or a recipe')
      .option('--rows <n>', 'samples shown of each source', readCount, 3)
      .option('--set <path=value>', 'give a value of the recipe, such as data.sources[0].format=text', collect, [])
      .option('--json', 'print all of it as JSON')
      .action(async (target: string, flags: InspectFlags) => {
        const { inspectData } = await import('../inspect-data.ts');
        await inspectData(context, target, flags);
      });
    addLedgerCommands(data, context);
  },
};

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new InvalidArgumentError('It is a whole number.');
  return count;
}
