import { ensureOnnxRuntime, loadOnnxRuntime } from '../envs/onnxruntime.ts';
import type {
  EvaluateRequest,
  GenerateRequest,
  LoadRequest,
  PrepareRequest,
  ScoreRequest,
  StepRequest,
  TrainSession,
} from '../spec/train-engine.ts';
import { runtimeOn } from './runtime.ts';
import { openSession } from './session.ts';
import { hostWorker } from './worker-host.ts';

/** The process that trains: see `embedded.ts` for the side that asks. */
export interface TrainWorkerArgument {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}
hostWorker((emit) => {
  let session: TrainSession | undefined;
  const open = (): TrainSession => {
    if (!session) throw new Error('the engine was not started');
    return session;
  };
  return {
    async start({ home, env }: TrainWorkerArgument) {
      const ort = loadOnnxRuntime(await ensureOnnxRuntime({ home, env, log: (line) => emit({ log: line }) }));
      session = openSession((threads) => runtimeOn(ort, threads));
    },
    prepare: (request: PrepareRequest) => open().prepare(request),
    load: (request: LoadRequest) => open().load(request),
    step: (request: StepRequest) => open().step(request),
    evaluate: (request: EvaluateRequest) => open().evaluate(request),
    generate: (request: GenerateRequest) => open().generate(request),
    score: (request: ScoreRequest) => open().score(request),
    save: (request: { folder: string }) => open().save(request),
    gradients: () => open().gradients(),
  };
});
