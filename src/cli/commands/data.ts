import type { CommandModule } from '../command.ts';
import { addStage } from '../stage-command.ts';

export const command: CommandModule = {
  register(data, context) {
    addStage(
      data.command('build').description('build the dataset of a recipe: rows, and a ledger of what became of each'),
      context,
      'data',
    );
  },
};
