import type { Emitted } from './graph.ts';
import { Graph } from './graph.ts';
import { add, div, mul, sqrt, sub } from './operators.ts';
import type { Program, Runtime } from './runtime.ts';

export interface AdamW {
  /**
   * One step over `range` of the flat arrays, in place (Loshchilov and Hutter, 2019; the order of operations is torch's):
   * p <- p (1 - lr decay); m <- m + (1 - b1)(g - m); v <- b2 v + (1 - b2) g²; p <- p - lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps).
   */
  apply(request: AdamWRequest): Promise<void>;
}

export interface AdamWState {
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export interface AdamWRequest {
  readonly state: AdamWState;
  readonly range: { readonly start: number; readonly end: number };
  /** Counted from 1. */
  readonly step: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Gradients are multiplied by this first (clipping). */
  readonly gradientScale: number;
}

/** Elements at a time: the graph makes about ten temporaries of this size. */
const sliceSize = 1 << 20;

export async function openAdamW(runtime: Runtime): Promise<AdamW> {
  const program: Program = await runtime.compile(adamWGraph());
  return {
    async apply({ state, range, step, learningRate, weightDecay, betas, epsilon, gradientScale }) {
      const scalars: Record<string, number> = {
        gradientScale,
        keep: 1 - learningRate * weightDecay,
        firstRate: 1 - betas[0],
        secondDecay: betas[1],
        secondRate: 1 - betas[1],
        stepSize: learningRate / (1 - betas[0] ** step),
        secondRoot: Math.sqrt(1 - betas[1] ** step),
        epsilon,
      };
      const fed = Object.fromEntries(
        Object.entries(scalars).map(([name, value]) => [name, runtime.float(Float32Array.of(value), [])]),
      );
      for (let start = range.start; start < range.end; start += sliceSize) {
        const end = Math.min(range.end, start + sliceSize);
        const slice = (array: Float32Array): ReturnType<Runtime['float']> =>
          runtime.float(array.subarray(start, end), [end - start]);
        const p = slice(state.parameters);
        const m = slice(state.first);
        const v = slice(state.second);
        await program.run({ ...fed, p, m, v, g: slice(state.gradients) }, { pNext: p, mNext: m, vNext: v });
      }
    },
  };
}

/** Each state is read only on the way to its own new value, so results may be written over their inputs. */
function adamWGraph(): Emitted {
  const graph = new Graph('adamw');
  const vector = (name: string): ReturnType<Graph['input']> => graph.input(name, 'float32', ['N']);
  const scalar = (name: string): ReturnType<Graph['input']> => graph.input(name, 'float32', []);
  const g = mul(graph, vector('g'), scalar('gradientScale'));
  const m = vector('m');
  const mNext = add(graph, m, mul(graph, sub(graph, g, m), scalar('firstRate')));
  const vNext = add(
    graph,
    mul(graph, vector('v'), scalar('secondDecay')),
    mul(graph, mul(graph, g, g), scalar('secondRate')),
  );
  const root = add(graph, div(graph, sqrt(graph, vNext), scalar('secondRoot')), scalar('epsilon'));
  const kept = mul(graph, vector('p'), scalar('keep'));
  const pNext = sub(graph, kept, mul(graph, div(graph, mNext, root), scalar('stepSize')));
  return graph.emit({ name: 'adamw', outputs: { pNext, mNext, vNext } });
}

/** Euclidean norm, summed in double precision so that it does not depend on how the parameters are cut. */
export function globalNorm(values: Float32Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    total += value * value;
  }
  return Math.sqrt(total);
}
