import { Option } from 'commander';
import type { CommandModule } from '../command.ts';
import type { ReviewOptions } from './review-run.ts';

export const command: CommandModule = {
  register(review, context) {
    review
      .option('--answer <id>', 'judge this answer; with no verdict, show it')
      .option('--approve', 'it is right as it stands')
      .option('--edit <file>', 'what it should have been, from a file (- for standard input)')
      .option('--reject <reason>', 'it is wrong, and why')
      .option('--reason <text>', 'why it was edited')
      .option('--replace', 'in place of an earlier judgement, which stays in the audit log')
      .option('--by <name>', 'who decides (else the user of this machine)')
      .addOption(
        new Option('--made-by <kind>', 'what kind of judge')
          .choices(['person', 'machine', 'quickstart'])
          .default('person'),
      )
      .option('--from <origin>', 'only answers of serve, of infer, or to the rows of this file')
      .option('--list', 'list answers nobody has judged yet')
      .option('--all', 'with --list: judged ones too')
      .option('--feedback <name>', 'at the end, make feedback/<name>@<n> of all approved and edited answers')
      .option('--json', 'print results as JSON')
      .action(async (options: ReviewOptions) => (await import('./review-run.ts')).run(options, context));
  },
};
