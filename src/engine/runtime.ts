import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { MartletError, messageOf } from '../core/error.ts';
import { ensureOnnxRuntime, loadOnnxRuntime, type OnnxRuntime } from '../envs/onnxruntime.ts';
import { copyBarrier, type Emitted } from './graph.ts';
import type { Feed } from './layout.ts';

/** Runs emitted graphs. `run` blocks the thread while it computes, so this lives in the engine's own process. */
export interface Runtime {
  /**
   * @param buffers by location, what the graph's weights stand in. The runtime copies what it needs: products with few rows
   * are then bound by reading the weights alone. Training feeds its weights instead, as they change.
   */
  compile(emitted: Emitted, buffers?: Readonly<Record<string, Float32Array>>): Promise<Program>;
  tensor(feed: Feed): Tensor;
  float(data: Float32Array, shape: readonly number[]): Tensor;
}

export interface Program {
  /**
   * @param feeds every input by name.
   * @param fetches where results are written: no result is allocated by the runtime, so memory stays ours.
   */
  run(feeds: Readonly<Record<string, Tensor>>, fetches: Readonly<Record<string, Tensor>>): Promise<void>;
  release(): Promise<void>;
}

export interface RuntimeOptions {
  readonly threads: number;
  /** `martletHome(env)` */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
}

export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  return runtimeOn(loadOnnxRuntime(await ensureOnnxRuntime(options)), options.threads);
}

/** The same on a loaded ONNX Runtime. */
export function runtimeOn(ort: OnnxRuntime, threads: number): Runtime {
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    // Patterns reserve one block for the largest run of each shape: 60 % more memory at no gain, as lengths vary.
    enableMemPattern: false,
    enableCpuMemArena: true,
    logSeverityLevel: 3,
    extra: {
      session: {
        // What is packed anew must give its first copy back to the system, not to a pool.
        use_device_allocator_for_initializers: '1',
        // Threads that spin for long lose several times over as soon as another process wants a core; those that never do
        // lose a fifth of decoding to being woken. 20 microseconds is past most gaps between operators.
        intra_op: { allow_spinning: '1', spin_duration_us: '20' },
      },
    },
  };
  return {
    tensor: ({ dtype, data, shape }) => new ort.Tensor(dtype, data, [...shape]),
    float: (data, shape) => new ort.Tensor('float32', data, [...shape]),
    async compile(emitted, buffers = {}) {
      const externalData = Object.entries(buffers).map(([path, { buffer, byteOffset, byteLength }]) => ({
        path,
        data: new Uint8Array(buffer, byteOffset, byteLength),
      }));
      const session = await create(ort, emitted, { ...sessionOptions, externalData });
      const inputs = emitted.inputs.map((value) => value.name);
      return {
        async run(feeds, fetches) {
          for (const name of inputs) if (!feeds[name]) throw new MartletError('bug', `nothing is fed to ${name}`);
          try {
            await session.run(feeds as InferenceSession.FeedsType, { ...fetches, [copyBarrier]: null });
          } catch (error) {
            // The results are in place: see `copyBarrier`.
            if (error instanceof Error && error.message === barrierRefused) return;
            throw error;
          }
          throw new MartletError('bug', 'ONNX Runtime copied the results of a run');
        },
        release: () => session.release(),
      };
    },
  };
}

/** What the binding says of an output that is a list. */
const barrierRefused = 'Non tensor type is temporarily not supported.';

async function create(
  ort: OnnxRuntime,
  emitted: Emitted,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    return await ort.InferenceSession.create(emitted.bytes, options);
  } catch (cause) {
    throw new MartletError('bug', `ONNX Runtime refuses a graph: ${messageOf(cause)}`, { cause });
  }
}
