import { randomInt, randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { startEmbeddedServing } from '../engine/embedded-engine.ts';
import { onnxRuntimePackage } from '../envs/onnxruntime.ts';
import { readModelConfig } from '../models/config.ts';
import { openEncoder } from '../models/encoder.ts';
import type { Engine } from '../spec/engine.ts';
import { appendCapture } from '../store/audit/captures.ts';
import type { Artefact, Store } from '../store/store.ts';
import type { Backend } from './ask.ts';
import { deploy, type ServedBase } from './deployment.ts';
import { joinEngines } from './join-engines.ts';

export interface OpenBackendOptions {
  readonly store: Store;
  /** Exported models, as `name@n`, or as `name` for the newest. */
  readonly models: readonly string[];
  /** Served as `base`; the base of the first model unless given. */
  readonly base?: ServedBase | undefined;
  /** Answers of one model at a time. */
  readonly slots: number;
  /** Most tokens of prompt and answer; no more than the model has positions. */
  readonly maxLength: number;
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: () => Date;
  /** One line at a time, for people. */
  readonly log: (line: string) => void;
}

export interface OpenBackend extends Backend, AsyncDisposable {
  readonly artefact: Artefact;
}

/** Makes the deployment and loads what it names: one engine process a base, adapters beside one another on it. */
export async function openBackend(options: OpenBackendOptions): Promise<OpenBackend> {
  const { store, home, env, clock, log, slots } = options;
  const { artefact, models: deployed } = await deploy({
    ...options,
    engine: `embedded, onnxruntime ${onnxRuntimePackage.version}`,
  });
  const models = await Promise.all(
    deployed.map(async ({ entry, render }) => {
      const config = await readModelConfig(entry.base);
      const encoder = await openEncoder({ folder: entry.base, render, now: clock() });
      // A tokenizer that cannot be used is told of now, not with the first question.
      encoder.tokenizer.encode(' ');
      const { offers, format } = encoder.toolCalls();
      if (offers && format === 'none')
        log(`${entry.name}: tool calls in its answers stay text; no known format reads what its chat template writes`);
      return { entry, encoder, maxLength: Math.min(options.maxLength, config.max_position_embeddings) };
    }),
  );
  const engines: Engine[] = [];
  try {
    for (const [baseFolder, served] of Map.groupBy(models, ({ entry }) => entry.base))
      engines.push(
        await startEmbeddedServing({
          home,
          env,
          log,
          threads: availableParallelism(),
          baseFolder,
          models: Object.fromEntries(served.map(({ entry }) => [entry.name, entry.adapter])),
          slots,
          maxLength: Math.min(...served.map(({ maxLength }) => maxLength)),
        }),
      );
  } catch (error) {
    await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
    throw error;
  }
  const engine = joinEngines(engines);
  const { address, lineage } = artefact;
  return {
    artefact,
    engine,
    models,
    deployment: { address, fingerprint: lineage.fingerprint, createdAt: lineage.createdAt },
    capture: (capture) => appendCapture({ root: store.root, capture, at: clock() }),
    clock,
    newId: () => `chatcmpl-${randomUUID().replaceAll('-', '')}`,
    newSeed: () => randomInt(2 ** 32),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}
