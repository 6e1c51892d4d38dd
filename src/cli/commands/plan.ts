import { formatIssue } from '../../core/issue.ts';
import { formatCount, formatDuration } from '../../core/units.ts';
import type { Plan } from '../../schema/plan.ts';
import type { CommandModule } from '../command.ts';
import type { CliContext } from '../context.ts';
import { type FactSources, type LoadedPlan, loadPlan } from '../load-plan.ts';
import { type Palette, palette } from '../print/palette.ts';
import { formatTable } from '../print/table.ts';
import { storeRoot } from '../store-root.ts';

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
        context.out(json ? `${JSON.stringify(loaded.plan, null, 2)}\n` : formatPlan(loaded, context));
        for (const reason of loaded.missing) context.err(`unknown ${reason}\n`);
      });
  },
};

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Facts that only a plan that is shown needs: what this machine reached before. */
function factSources(context: CliContext): FactSources {
  return {
    measureThroughput: async () => {
      const [{ openStore }, { machineName }, { measuredThroughput }] = await Promise.all([
        import('../../store/open-store.ts'),
        import('../../store/made-by.ts'),
        import('../measured-throughput.ts'),
      ]);
      const store = await openStore({
        root: storeRoot(context),
        clock: context.now,
        who: 'nobody: nothing is written',
      });
      return measuredThroughput(store, machineName());
    },
  };
}

/** Every value with its origin, then what to expect. Ends with a line end. */
export function formatPlan({ plan, warnings }: LoadedPlan, context: Pick<CliContext, 'colour'>): string {
  const colours = palette(context);
  const values = formatTable(
    [{ title: 'value' }, { title: '' }, { title: 'from' }, { title: 'why' }],
    Object.entries(plan.origins).map(([path, { origin, reason }]) => {
      const given = origin === 'recipe' || origin === 'flag';
      const paint = given ? colours.bold : (text: string) => text;
      return [path, paint(shown(planValue(plan, path))), originColour(colours, origin), colours.dim(reason ?? '')];
    }),
  );
  const { predictions, execution } = plan;
  const expected = formatTable(
    [{ title: 'expected' }, { title: '' }],
    [
      ['rows', count(predictions.rows)],
      ['tokens', count(predictions.tokens)],
      ['learned tokens', count(predictions.learnedTokens)],
      ['steps', count(predictions.steps)],
      ['trained parameters', count(predictions.trainableParameters)],
      ['peak memory', known(predictions.peakMemoryGiB, (gib) => `${gib.toFixed(2)} GiB`)],
      ['training time', known(predictions.trainSeconds, (seconds) => formatDuration(seconds * 1000))],
      ['engine', `${execution.engine} (${execution.engineReason})`],
    ],
  );
  const notes = warnings.map((warning) => `${colours.yellow('warning')} ${formatIssue(warning)}\n`).join('');
  return `plan ${colours.bold(plan.values.name)} ${colours.dim(plan.hash)}\n\n${values}\n${expected}${notes && `\n${notes}`}`;
}

/** The value of a plan at a path of its origins, such as `data.sources[0].from`. */
function planValue({ values, execution }: Plan, path: string): unknown {
  const keys = path.split(/[.[\]]+/).filter((key) => key !== '');
  let value: unknown = { ...values, execution };
  for (const key of keys)
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return value;
}

function shown(value: unknown): string {
  if (value === null) return '-';
  if (Array.isArray(value)) return value.map(shown).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function originColour(colours: Palette, origin: string): string {
  if (origin === 'recipe' || origin === 'flag') return colours.green(origin);
  return origin === 'default' ? colours.dim(origin) : colours.cyan(origin);
}

function known(value: number | 'unknown', format: (value: number) => string): string {
  return value === 'unknown' ? value : format(value);
}

const count = (value: number | 'unknown'): string => known(value, formatCount);
