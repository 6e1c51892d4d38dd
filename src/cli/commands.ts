import type { CommandModule } from './command.ts';

export interface CommandRow {
  readonly name: string;
  readonly summary: string;
  /** Imports the command; nothing is loaded before it is called. */
  readonly load: () => Promise<{ readonly command: CommandModule }>;
}

/** Every verb of `martlet`, in the order of `--help`: the path first, then what stands around it. */
export const commands: readonly CommandRow[] = [
  {
    name: 'plan',
    summary: 'resolve a recipe: is it ready, what to expect, every value and where it came from',
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'run',
    summary: 'walk the whole path of a recipe: plan, data, shard, train, eval, export',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'data',
    summary: 'build the dataset of a recipe, with a ledger of every row',
    load: () => import('./commands/data.ts'),
  },
  {
    name: 'tokens',
    summary: 'show the exact tokens of a row: template, prompt, learned',
    load: () => import('./commands/tokens.ts'),
  },
  {
    name: 'render',
    summary: 'render rows with a chat template: text, where each character came from, ids',
    load: () => import('./commands/render.ts'),
  },
  {
    name: 'shard',
    summary: 'turn a dataset into token shards and the order they are trained in',
    load: () => import('./commands/shard.ts'),
  },
  {
    name: 'train',
    summary: 'train a recipe; goes on from the last checkpoint',
    load: () => import('./commands/train.ts'),
  },
  {
    name: 'eval',
    summary: 'measure base against tuned on held-out rows; trains first where no run is there',
    load: () => import('./commands/eval.ts'),
  },
  {
    name: 'export',
    summary: 'write adapter, merged weights or GGUF, each with a certificate; trains first where no run is there',
    load: () => import('./commands/export.ts'),
  },
  {
    name: 'serve',
    summary: "answer over OpenAI's API, each answer on record",
    load: () => import('./commands/serve.ts'),
  },
  {
    name: 'chat',
    summary: 'talk to a server in the terminal',
    load: () => import('./commands/chat.ts'),
  },
  {
    name: 'infer',
    summary: 'answer a file of rows, several at a time; goes on where it stopped',
    load: () => import('./commands/infer.ts'),
  },
  {
    name: 'review',
    summary: 'judge captured answers: approve, edit or reject; make feedback of the judgements',
    load: () => import('./commands/review.ts'),
  },
  {
    name: 'trace',
    summary: 'walk from an answer back to the rows that taught it, every hash recomputed',
    load: () => import('./commands/trace.ts'),
  },
  {
    name: 'audit',
    summary: 'verify the audit log',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'verify',
    summary: 'show on your own recipe: resuming changes nothing, the tokens are right',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'models',
    summary: 'list, pull, import, inspect and remove base models',
    load: () => import('./commands/models.ts'),
  },
  {
    name: 'setup',
    summary: 'build a locked environment that something optional needs',
    load: () => import('./commands/setup.ts'),
  },
  {
    name: 'doctor',
    summary: 'say what this machine has, what is missing and what mends it',
    load: () => import('./commands/doctor.ts'),
  },
];
