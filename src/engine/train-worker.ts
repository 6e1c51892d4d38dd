import type {
  EvaluateRequest,
  GenerateRequest,
  LoadRequest,
  ScoreRequest,
  StepRequest,
  TrainSession,
} from '../spec/train-engine.ts';
import { openRuntime } from './runtime.ts';
import { openSession } from './session.ts';
import { hostWorker } from './worker-host.ts';

/** The process that trains: see `embedded.ts` for the side that asks. */
export interface TrainWorkerArgument {
  readonly threads: number;
  readonly home: string;
  /** Read at once, so that it is there when the plan is loaded. */
  readonly baseFolder?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

hostWorker((emit) => {
  let session: TrainSession | undefined;
  const open = (): TrainSession => {
    if (!session) throw new Error('the engine was not started');
    return session;
  };
  return {
    async start({ threads, home, env, baseFolder }: TrainWorkerArgument) {
      session = openSession(await openRuntime({ threads, home, env, log: (line) => emit({ log: line }) }), baseFolder);
    },
    load: (request: LoadRequest) => open().load(request),
    step: (request: StepRequest) => open().step(request),
    evaluate: (request: EvaluateRequest) => open().evaluate(request),
    generate: (request: GenerateRequest) => open().generate(request),
    score: (request: ScoreRequest) => open().score(request),
    save: (request: { folder: string }) => open().save(request),
    gradients: () => open().gradients(),
  };
});
