/**
 * Writes ONNX models: the few protobuf messages a graph needs, by their field numbers in onnx.proto3
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Weights are never inside: they are fed, or stand beside it.
 */
export type DataType = 'float32' | 'int64' | 'int32';

export type Attribute = number | { readonly int: number } | readonly { readonly int: number }[] | string;

export interface OnnxTensor {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Int32Array;
}

/** A tensor whose numbers are handed to the runtime beside the graph: a range of the buffer called `location`. */
export interface OnnxWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly location: string;
  readonly offsetBytes: number;
}

export interface OnnxValue {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: readonly (number | string)[];
}

/** A list of tensors: a kind of output of its own. */
export interface OnnxSequence {
  readonly name: string;
  readonly sequenceOf: DataType;
}

export interface OnnxNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly (OnnxTensor | OnnxWeight)[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly (OnnxValue | OnnxSequence)[];
}

const elementTypes: Record<DataType, number> = { float32: 1, int32: 6, int64: 7 };
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;
const opsetVersion = 21;
const irVersion = 10;

type Chunk = Uint8Array;
const encoder = new TextEncoder();

/** @returns the bytes of a ModelProto. */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const model = message([
    varintField(1, irVersion),
    stringField(2, 'martlet'),
    bytesField(7, encodeGraph(graph)),
    bytesField(8, message([stringField(1, ''), varintField(2, opsetVersion)])),
    bytesField(8, message([stringField(1, 'com.microsoft'), varintField(2, 1)])),
  ]);
  return model;
}

function encodeGraph(graph: OnnxGraph): Chunk {
  return message([
    ...graph.nodes.map((node) => bytesField(1, encodeNode(node))),
    stringField(2, graph.name),
    ...graph.initializers.map((tensor) => bytesField(5, encodeTensor(tensor))),
    ...graph.inputs.map((value) => bytesField(11, encodeValue(value))),
    ...graph.outputs.map((value) => bytesField(12, encodeValue(value))),
  ]);
}

function encodeNode(node: OnnxNode): Chunk {
  return message([
    ...node.inputs.map((name) => stringField(1, name)),
    ...node.outputs.map((name) => stringField(2, name)),
    stringField(4, node.op),
    ...Object.entries(node.attributes).map(([name, value]) => bytesField(5, encodeAttribute(name, value))),
    stringField(7, node.domain),
  ]);
}

function encodeAttribute(name: string, value: Attribute): Chunk {
  const type = (kind: keyof typeof attributeTypes): Chunk => varintField(20, attributeTypes[kind]);
  if (typeof value === 'number') return message([stringField(1, name), floatField(2, value), type('float')]);
  if (typeof value === 'string')
    return message([stringField(1, name), bytesField(4, encoder.encode(value)), type('string')]);
  if ('int' in value) return message([stringField(1, name), varintField(3, value.int), type('int')]);
  return message([stringField(1, name), ...value.map((item) => varintField(8, item.int)), type('ints')]);
}

function encodeTensor(tensor: OnnxTensor | OnnxWeight): Chunk {
  if ('location' in tensor) {
    const { name, shape, location, offsetBytes } = tensor;
    const length = 4 * shape.reduce((product, size) => product * size, 1);
    const entry = (key: string, value: string): Chunk =>
      bytesField(13, message([stringField(1, key), stringField(2, value)]));
    return message([
      ...shape.map((size) => varintField(1, size)),
      varintField(2, elementTypes.float32),
      stringField(8, name),
      entry('location', location),
      entry('offset', String(offsetBytes)),
      entry('length', String(length)),
      varintField(14, 1),
    ]);
  }
  const { data } = tensor;
  return message([
    ...tensor.shape.map((size) => varintField(1, size)),
    varintField(2, elementTypes[tensor.dtype]),
    stringField(8, tensor.name),
    bytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}

function encodeValue(value: OnnxValue | OnnxSequence): Chunk {
  if ('sequenceOf' in value) {
    const element = message([bytesField(1, message([varintField(1, elementTypes[value.sequenceOf])]))]);
    const sequence = message([bytesField(4, message([bytesField(1, element)]))]);
    return message([stringField(1, value.name), bytesField(2, sequence)]);
  }
  const dimensions = value.shape.map((size) =>
    bytesField(1, message([typeof size === 'number' ? varintField(1, size) : stringField(2, size)])),
  );
  const tensorType = message([varintField(1, elementTypes[value.dtype]), bytesField(2, message(dimensions))]);
  return message([stringField(1, value.name), bytesField(2, message([bytesField(1, tensorType)]))]);
}

function message(fields: readonly Chunk[]): Chunk {
  const result = new Uint8Array(fields.reduce((total, field) => total + field.length, 0));
  let offset = 0;
  for (const field of fields) {
    result.set(field, offset);
    offset += field.length;
  }
  return result;
}

function varint(value: number): number[] {
  // Protobuf writes a negative int64 as its 64-bit two's complement.
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

const varintField = (field: number, value: number): Chunk => Uint8Array.from([...varint(field << 3), ...varint(value)]);

function floatField(field: number, value: number): Chunk {
  const chunk = new Uint8Array(5);
  chunk[0] = (field << 3) | 5;
  new DataView(chunk.buffer).setFloat32(1, value, true);
  return chunk;
}

function bytesField(field: number, bytes: Chunk): Chunk {
  return message([Uint8Array.from([...varint((field << 3) | 2), ...varint(bytes.length)]), bytes]);
}

const stringField = (field: number, text: string): Chunk => bytesField(field, encoder.encode(text));
