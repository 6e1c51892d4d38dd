import type { Tensor } from 'onnxruntime-common';
import { normal, randomStream, streamKey } from '../core/random.ts';
import { gradients } from './gradients.ts';
import { Graph, type Value } from './graph.ts';
import type { Feed } from './layout.ts';
import type { Runtime } from './runtime.ts';

export interface GradientCheck {
  /** Builds y from the differentiable inputs. */
  readonly build: (graph: Graph, inputs: Readonly<Record<string, Value>>) => Value;
  /** Shapes of the inputs that are differentiated, filled with seeded normal numbers. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** Inputs that are not. */
  readonly given?: Readonly<Record<string, Feed>>;
  readonly output: readonly number[];
  readonly seed: number;
}

/**
 * Compares, for each input, the gradient of sum(y * weights) along a random direction with a central difference.
 * @returns by input, |analytic - numeric| / (|analytic| + |numeric| + 1e-3).
 */
export async function checkGradients(runtime: Runtime, check: GradientCheck): Promise<Record<string, number>> {
  const graph = new Graph('check');
  const names = Object.keys(check.inputs);
  const values = Object.fromEntries(
    names.map((name) => [name, graph.input(name, 'float32', check.inputs[name] ?? [])]),
  );
  const y = check.build(graph, values);
  const seed = graph.input('seed', 'float32', check.output);
  const wanted = names.map((name) => values[name] as Value);
  const slopes = gradients(graph, { outputs: [{ value: y, seed }], to: wanted });
  const forward = await runtime.compile(graph.emit({ name: 'forward', outputs: { y } }));
  const outputs = Object.fromEntries(names.map((name, index) => [`d_${name}`, slopes[index] as Value]));
  const backward = await runtime.compile(graph.emit({ name: 'backward', outputs }));

  const random = randomStream(streamKey(check.seed));
  const draw = (size: number): Float32Array => Float32Array.from({ length: size }, () => normal(random));
  const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
  const data = Object.fromEntries(names.map((name) => [name, draw(size(check.inputs[name] ?? []))]));
  const weights = draw(size(check.output));
  const given = Object.fromEntries(
    Object.entries(check.given ?? {}).map(([name, feed]) => [name, runtime.tensor(feed)]),
  );
  const feeds = (moved?: { name: string; data: Float32Array }): Record<string, Tensor> => ({
    ...given,
    ...Object.fromEntries(
      names.map((name) => [
        name,
        runtime.float(moved?.name === name ? moved.data : (data[name] as Float32Array), check.inputs[name] ?? []),
      ]),
    ),
  });
  const evaluate = async (moved: { name: string; data: Float32Array }): Promise<number> => {
    const result = new Float32Array(size(check.output));
    await forward.run(feeds(moved), { y: runtime.float(result, check.output) });
    return result.reduce((total, value, index) => total + value * (weights[index] as number), 0);
  };
  const results = Object.fromEntries(
    names.map((name) => [`d_${name}`, new Float32Array(size(check.inputs[name] ?? []))]),
  );
  await backward.run(
    { ...feeds(), seed: runtime.float(weights, check.output) },
    Object.fromEntries(
      names.map((name) => [`d_${name}`, runtime.float(results[`d_${name}`] as Float32Array, check.inputs[name] ?? [])]),
    ),
  );
  const errors: Record<string, number> = {};
  for (const name of names) {
    const point = data[name] as Float32Array;
    const direction = draw(point.length);
    const step = 4e-3;
    const shifted = (sign: number): Float32Array =>
      point.map((value, index) => value + sign * step * (direction[index] as number));
    const numeric =
      ((await evaluate({ name, data: shifted(1) })) - (await evaluate({ name, data: shifted(-1) }))) / (2 * step);
    const slope = results[`d_${name}`] as Float32Array;
    const analytic = slope.reduce((total, value, index) => total + value * (direction[index] as number), 0);
    errors[name] = Math.abs(analytic - numeric) / (Math.abs(analytic) + Math.abs(numeric) + 1e-3);
  }
  return errors;
}
