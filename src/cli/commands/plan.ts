import type { CommandModule } from '../command.ts';
import { factSources } from '../fact-sources.ts';
import { loadPlan } from '../load-plan.ts';
import { collect } from '../option-values.ts';
import { formatPlan } from '../print/plan.ts';

interface PlanOptions {
  readonly set: readonly string[];
  readonly base?: string;
  readonly json?: boolean;
}

export const command: CommandModule = {
  register(plan, context) {
    plan
      .argument('<recipe>', 'the recipe file')
      .option('--set <path=value>', 'give a value of the recipe, such as train.epochs=2; may be repeated', collect, [])
      .option(
        '--base <address>',
        'start from this model instead: hf:org/name@rev, a folder, a .gguf file, pypi:package',
      )
      .option('--json', 'print the plan as JSON')
      .action(async (file: string, { set, base, json }: PlanOptions) => {
        const loaded = await loadPlan({ file, flags: set, base, context, sources: factSources(context) });
        if (!json) return context.out(formatPlan(loaded, context));
        const unknown = loaded.missing.map((reason) => `unknown ${reason}`);
        const plan = { ...loaded.plan, warnings: [...loaded.plan.warnings, ...unknown] };
        context.out(`${JSON.stringify(plan, null, 2)}\n`);
        for (const line of unknown) context.err(`${line}\n`);
      });
  },
};
