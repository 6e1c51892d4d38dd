import { MartletError } from '../core/error.ts';
import { martletHome } from '../envs/home.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import type { CliContext } from './context.ts';
import { storeRoot } from './store-root.ts';
import { userName } from './user-name.ts';

/** What `serve` and `infer` answer with: the models named, else the last one exported, and the base. */
export async function openServed(
  context: CliContext,
  asked: {
    readonly models: readonly string[];
    readonly base: string | undefined;
    readonly log: (line: string) => void;
  },
) {
  const { env, signal, now: clock } = context;
  const { base: address, log } = asked;
  const home = martletHome(env);
  const store = await openStore({
    root: storeRoot(context),
    clock,
    who: userName(context) ?? 'unknown',
  });
  const models = asked.models.length > 0 || address !== undefined ? asked.models : [await lastExported(store)];
  let base: Awaited<ReturnType<typeof import('../models/resolve.ts').resolveModel>> | undefined;
  if (address !== undefined) {
    const { resolveModel } = await import('../models/resolve.ts');
    base = await resolveModel({ addresses: [address], home, env, log, signal, cwd: context.cwd });
  }
  return { store, models, base, home, env, clock, log };
}

async function lastExported(store: Store): Promise<string> {
  const models = await store.list('model');
  const [last] = models.toSorted((a, b) => b.lineage.createdAt.localeCompare(a.lineage.createdAt));
  if (last) return last.address;
  throw new MartletError('nothing-to-serve', `${store.root} holds no exported model`, {
    hint: 'Make one with martlet run <recipe>, or serve a base model with --base <address>.',
  });
}
