import { invariant } from '../core/error.ts';
import { type Attribute, type DataType, encodeOnnx, type OnnxNode, type OnnxTensor, type OnnxWeight } from './onnx.ts';

/** A size known when the graph is built, or the name of one known when it runs. */
export type Dimension = number | string;

export interface Value {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly Dimension[];
  /** The node that makes it; null for inputs and constants. */
  readonly node: Node | null;
}

export interface Node {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Gradients of the inputs, given those of the outputs (null where nothing flows). Absent: not differentiable. */
  readonly backward: Backward | undefined;
}

export type Backward = (gradients: readonly (Value | null)[]) => readonly (Value | null)[];

export interface NodeRequest {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly { readonly dtype: DataType; readonly shape: readonly Dimension[] }[];
  readonly backward?: (outputs: readonly Value[]) => Backward;
}

/**
 * The first output of every graph: an empty list, which the Node binding cannot hand out.
 *
 * Results are written where the caller wants them (`fetches`), but after a run the binding also copies each output into a
 * new array: for a KV cache or saved activations that is more time and memory than the computing. It works through the
 * outputs in order and gives up at the first it cannot convert, so this one stands before all others. `Program.run` asks
 * for it and takes that one failure for the end of the run.
 */
export const copyBarrier = 'copy_barrier';

/** A compiled piece of a graph: what to feed, what comes out. */
export interface Emitted {
  readonly bytes: Uint8Array;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/**
 * A static graph under construction. One graph holds forward and backward; `emit` cuts out the part that leads to given
 * outputs, and may turn any value on the way into an input. That is how activations are saved or recomputed: the same
 * backward values are emitted with many values cut (saved) or only the layer's input (recomputed).
 */
export class Graph {
  readonly name: string;
  readonly #constants = new Map<string, OnnxTensor>();
  #count = 0;

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, dtype: DataType, shape: readonly Dimension[]): Value {
    return { name, dtype, shape, node: null };
  }

  constant(dtype: DataType, shape: readonly number[], data: readonly number[]): Value {
    const key = `${dtype}[${shape.join(',')}]=${data.join(',')}`;
    const known = this.#constants.get(key);
    const name = known?.name ?? `constant_${this.#constants.size}`;
    if (!known) this.#constants.set(key, { name, dtype, shape, data: typed(dtype, data) });
    return { name, dtype, shape, node: null };
  }

  scalar(value: number): Value {
    return this.constant('float32', [], [value]);
  }

  add(request: NodeRequest): readonly Value[] {
    const outputs: Value[] = [];
    const node: { -readonly [key in keyof Node]: Node[key] } = {
      op: request.op,
      domain: request.domain ?? '',
      inputs: request.inputs,
      outputs,
      attributes: request.attributes ?? {},
      backward: undefined,
    };
    for (const output of request.outputs) outputs.push({ ...output, name: `${request.op}_${this.#count++}`, node });
    node.backward = request.backward?.(outputs);
    return outputs;
  }

  /** The only output of a node. */
  apply(
    request: Omit<NodeRequest, 'outputs'> & { readonly dtype?: DataType; readonly shape: readonly Dimension[] },
  ): Value {
    const { dtype = 'float32', shape, ...rest } = request;
    return single(this.add({ ...rest, outputs: [{ dtype, shape }] }));
  }

  /**
   * The part of the graph that makes `outputs`, with `cuts` as inputs instead of being computed.
   * @param outputs values by the name they get outside.
   * @param weights inputs that are no longer fed: the runtime takes them once and may lay them out as suits it.
   */
  emit(request: {
    readonly name: string;
    readonly outputs: Readonly<Record<string, Value>>;
    readonly cuts?: readonly Value[];
    readonly weights?: readonly OnnxWeight[];
  }): Emitted {
    const weights = new Map((request.weights ?? []).map((weight) => [weight.name, weight]));
    const usedWeights = new Map<string, OnnxWeight>();
    const cut = new Set(request.cuts ?? []);
    const constants = new Map([...this.#constants.values()].map((tensor) => [tensor.name, tensor]));
    const nodes: Node[] = [];
    const inputs = new Map<string, Value>();
    const usedConstants = new Map<string, OnnxTensor>();
    const seen = new Set<Node>();
    const visit = (value: Value): void => {
      if (cut.has(value) || value.node === null) {
        const constant = constants.get(value.name);
        const weight = weights.get(value.name);
        if (constant) usedConstants.set(value.name, constant);
        else if (weight) usedWeights.set(value.name, weight);
        else inputs.set(value.name, value);
        return;
      }
      if (seen.has(value.node)) return;
      seen.add(value.node);
      for (const input of value.node.inputs) if (input) visit(input);
      nodes.push(value.node);
    };
    const outside = new Map<Value, string>();
    const copies: OnnxNode[] = [];
    for (const [name, value] of Object.entries(request.outputs)) {
      visit(value);
      // An input that goes straight out, or a value under a second name.
      const copied = value.node === null || cut.has(value) || outside.has(value);
      if (!copied) outside.set(value, name);
      else
        copies.push({
          op: 'Identity',
          domain: '',
          inputs: [outside.get(value) ?? value.name],
          outputs: [name],
          attributes: {},
        });
    }
    const nameOf = (value: Value): string => outside.get(value) ?? value.name;
    const outputs = Object.entries(request.outputs).map(([name, value]) => ({ ...value, name }));
    const bytes = encodeOnnx({
      name: request.name,
      nodes: [
        { op: 'SequenceEmpty', domain: '', inputs: [], outputs: [copyBarrier], attributes: {} },
        ...nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map((value) => (value ? nameOf(value) : '')),
          // An output that was cut is fed; the node that also makes it must not claim the name.
          outputs: node.outputs.map((value) => (cut.has(value) ? `${value.name}_again` : nameOf(value))),
        })),
        ...copies,
      ],
      initializers: [...usedConstants.values(), ...usedWeights.values()],
      inputs: [...inputs.values()],
      outputs: [{ name: copyBarrier, sequenceOf: 'float32' }, ...outputs],
    });
    return { bytes, inputs: [...inputs.values()], outputs };
  }
}

export function single(values: readonly Value[]): Value {
  const [value] = values;
  invariant(value && values.length === 1, 'a node with one output was expected');
  return value;
}

function typed(dtype: DataType, data: readonly number[]): OnnxTensor['data'] {
  if (dtype === 'float32') return Float32Array.from(data);
  return dtype === 'int64' ? BigInt64Array.from(data, (value) => BigInt(value)) : Int32Array.from(data);
}
