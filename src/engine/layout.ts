import type { Graph, Value } from './graph.ts';
import type { DataType } from './onnx.ts';
import { gatherRows, mul, type RotaryInputs, reshape } from './operators.ts';

/**
 * Documents of a pack lie one after the other as T tokens: every layer but attention works on them so, without padding.
 * For attention they stand in R rows of L cells (L = the longest document, several short ones to a row), and a mask keeps
 * documents and the future apart.
 */
export interface PackLayout {
  readonly tokens: number;
  readonly rows: number;
  readonly cells: number;
  /** [T] position of each token in its document. */
  readonly positions: BigInt64Array;
  /** [R, L] token of each cell; 0 where there is none. */
  readonly toRows: BigInt64Array;
  /** [T] cell of each token. */
  readonly fromRows: BigInt64Array;
  /** [R, L] 1 where a token stands. */
  readonly valid: Float32Array;
  /** [R, group * L, L] 0 where a query may look, very low elsewhere. */
  readonly mask: Float32Array;
}

const blocked = -1e9;

export interface LayoutOptions {
  /** Query heads that share a key head: the mask is repeated for each. */
  readonly group: number;
  /** Tokens an attention window reaches back; null for all. */
  readonly window: number | null;
}

/** Rows are filled first-fit, longest document first: at most one row is less than half full. */
export function packLayout(lengths: readonly number[], options: LayoutOptions): PackLayout {
  const tokens = lengths.reduce((total, length) => total + length, 0);
  const cells = Math.max(...lengths);
  const rows: number[] = [];
  const places: { row: number; cell: number; length: number; first: number }[] = [];
  let first = 0;
  const documents = lengths.map((length) => {
    const document = { length, first };
    first += length;
    return document;
  });
  for (const { length, first: start } of documents.toSorted((a, b) => b.length - a.length)) {
    let row = rows.findIndex((used) => used + length <= cells);
    if (row < 0) row = rows.push(0) - 1;
    const cell = rows[row] ?? 0;
    places.push({ row, cell, length, first: start });
    rows[row] = cell + length;
  }
  const size = rows.length * cells;
  const positions = new BigInt64Array(tokens);
  const toRows = new BigInt64Array(size);
  const fromRows = new BigInt64Array(tokens);
  const valid = new Float32Array(size);
  const mask = new Float32Array(size * cells * options.group).fill(blocked);
  const rowMask = options.group * cells * cells;
  for (const { row, cell, length, first: start } of places) {
    for (let i = 0; i < length; i++) {
      const place = row * cells + cell + i;
      positions[start + i] = BigInt(i);
      toRows[place] = BigInt(start + i);
      fromRows[start + i] = BigInt(place);
      valid[place] = 1;
      const reach = options.window === null ? 0 : Math.max(0, i - options.window + 1);
      for (let member = 0; member < options.group; member++) {
        const line = row * rowMask + (member * cells + cell + i) * cells + cell;
        mask.fill(0, line + reach, line + i + 1);
      }
    }
  }
  return { tokens, rows: rows.length, cells, positions, toRows, fromRows, valid, mask };
}

/** The inputs of a graph that describe the layout and the rotation. */
export interface LayoutInputs {
  readonly rotary: RotaryInputs;
  readonly toRows: Value;
  readonly fromRows: Value;
  readonly valid: Value;
  readonly mask: Value;
}

export function layoutInputs(graph: Graph, headSize: number): LayoutInputs {
  // The operator wants at least as many positions as there are tokens.
  const table = (name: string): Value => graph.input(name, 'float32', ['P', headSize / 2]);
  return {
    rotary: {
      positions: graph.input('positions', 'int64', [1, 'T']),
      cos: table('cos'),
      sin: table('sin'),
      negativeSin: table('negativeSin'),
    },
    toRows: graph.input('toRows', 'int64', ['R', 'L']),
    fromRows: graph.input('fromRows', 'int64', ['T']),
    valid: graph.input('valid', 'float32', ['R', 'L', 1]),
    mask: graph.input('mask', 'float32', ['R', 1, 'GL', 'L']),
  };
}

/** The same under the names of `layoutInputs`, as data. */
export function layoutFeeds(layout: PackLayout): Record<string, Feed> {
  const { tokens, rows, cells } = layout;
  const queries = layout.mask.length / Math.max(1, rows * cells);
  return {
    positions: { dtype: 'int64', data: layout.positions, shape: [1, tokens] },
    toRows: { dtype: 'int64', data: layout.toRows, shape: [rows, cells] },
    fromRows: { dtype: 'int64', data: layout.fromRows, shape: [tokens] },
    valid: { dtype: 'float32', data: layout.valid, shape: [rows, cells, 1] },
    mask: { dtype: 'float32', data: layout.mask, shape: [rows, 1, queries, cells] },
  };
}

export interface Feed {
  readonly dtype: DataType;
  readonly data: Float32Array | BigInt64Array | Int32Array;
  readonly shape: readonly number[];
}

/** [T, width] -> [R, L, width]. */
export function toRows(graph: Graph, x: Value, inputs: LayoutInputs, width: number): Value {
  return graph.apply({
    op: 'Gather',
    inputs: [x, inputs.toRows],
    attributes: { axis: { int: 0 } },
    shape: ['R', 'L', width],
    backward:
      () =>
      ([dy]) => [dy ? pickCells(graph, dy, inputs, width) : null, null],
  });
}

/** [R, L, width] -> [T, width]. What flows back into empty cells is nothing. */
export function fromRows(graph: Graph, x: Value, inputs: LayoutInputs, width: number): Value {
  // What comes back is already in rows (see below), so there is nothing to undo.
  const flat = graph.apply({
    op: 'Reshape',
    inputs: [x, graph.constant('int64', [2], [-1, width])],
    shape: ['RL', width],
    backward:
      () =>
      ([dy]) => [dy ?? null, null],
  });
  return graph.apply({
    op: 'Gather',
    inputs: [flat, inputs.fromRows],
    attributes: { axis: { int: 0 } },
    shape: ['T', width],
    backward:
      () =>
      ([dy]) => {
        if (!dy) return [null, null];
        return [mul(graph, gatherRows(graph, dy, inputs.toRows), inputs.valid), null];
      },
  });
}

function pickCells(graph: Graph, dy: Value, inputs: LayoutInputs, width: number): Value {
  return gatherRows(
    graph,
    reshape(graph, dy, { to: [-1, width], shape: ['RL', width], back: [0, 0, width] }),
    inputs.fromRows,
  );
}
