import { ensureOnnxRuntime, hasOnnxRuntime, onnxRuntimePackage } from '../envs/onnxruntime.ts';
import type { PlanValues } from '../schema/plan.ts';
import type { ModelConfig, TrainEngine, TrainSession } from '../spec/train-engine.ts';
import type { TrainWorkerArgument } from './train-worker.ts';
import { startWorker } from './worker-host.ts';

/** Architectures the block in `llama.ts` covers by flags. */
export const embeddedArchitectures = [
  'LlamaForCausalLM',
  'MistralForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen3ForCausalLM',
] as const;

export interface EmbeddedOptions {
  /** `martletHome(env)`: where ONNX Runtime is kept. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}

/** The engine that needs nothing but Node: ONNX Runtime's kernels, in a process of its own. */
export function embeddedEngine(options: EmbeddedOptions): TrainEngine {
  return {
    name: 'embedded',
    version: `onnxruntime ${onnxRuntimePackage.version}`,
    unsupported,
    async start({ signal }) {
      // Nothing is waited for where all is there: whoever starts it ahead has a process at once.
      if (!hasOnnxRuntime(options.home)) await ensureOnnxRuntime({ ...options, signal });
      const { home, env } = options;
      const worker = startWorker<{ log: string }>({
        module: 'train-worker',
        argument: { home, env } satisfies TrainWorkerArgument,
        signal,
      });
      worker.onEvent((event) => options.log(event.log));
      const call = async <T>(method: string, argument: unknown): Promise<T> =>
        (await worker.call(method, argument)) as T;
      const session: TrainSession = {
        prepare: (request) => call('prepare', request),
        load: (request) => call('load', request),
        step: (request) => call('step', request),
        evaluate: (request) => call('evaluate', request),
        generate: (request) => call('generate', request),
        score: (request) => call('score', request),
        save: (request) => call('save', request),
        gradients: () => call('gradients', undefined),
        [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
      };
      return session;
    },
  };
}

function unsupported(values: PlanValues, config: ModelConfig): readonly string[] {
  const reasons: string[] = [];
  if (!embeddedArchitectures.some((name) => name === config.architecture))
    reasons.push(`it has no graph for ${config.architecture}`);
  if (config.head_dim % 16 !== 0)
    reasons.push(`its attention wants heads of a multiple of 16 numbers; this model has ${config.head_dim}`);
  const kind = config.rope_scaling?.rope_type ?? config.rope_scaling?.type;
  if (kind !== undefined && !['default', 'linear', 'llama3'].includes(String(kind)))
    reasons.push(`it does not know rope scaling "${String(kind)}"`);
  if (values.render.lengthTokens > config.max_position_embeddings)
    reasons.push(`rows are longer than the model's ${config.max_position_embeddings} positions`);
  return reasons;
}
