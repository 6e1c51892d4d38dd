export interface ParquetColumn {
  /** Bytes of its one page, not packed. */
  readonly page: readonly number[];
  /** Rows of the file, and values of the page. */
  readonly values: number;
  readonly isOptional: boolean;
  /** Of parquet.thrift; INT32 when absent. */
  readonly type?: number;
  /** Of parquet.thrift; PLAIN when absent. */
  readonly encoding?: number;
  /** Bytes of definition levels, for a page of the second version; one of the first when absent. */
  readonly levelBytes?: number;
}

/** A Parquet file of one column `a`, put together by hand: for tests of what no writer writes. */
export function parquetColumn({ page, values, isOptional, type = 1, encoding = 0, levelBytes }: ParquetColumn): Buffer {
  const i32 = (value: number): number[] => [0x15, ...varint(2 * value)];
  const i64 = (value: number): number[] => [0x16, ...varint(2 * value)];
  // num_values and encodings; the second version also has nulls, rows and the lengths of levels.
  const inner =
    levelBytes === undefined
      ? [0x2c, ...i32(values), ...i32(encoding), ...i32(3), ...i32(3), 0]
      : [0x5c, ...i32(values), ...i32(0), ...i32(values), ...i32(encoding), ...i32(levelBytes), ...i32(0), 0];
  const kind = levelBytes === undefined ? 0 : 3;
  const header = [...i32(kind), ...i32(page.length), ...i32(page.length), ...inner, 0];
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const size = header.length + page.length;
  const root = [0x48, ...text('root'), ...i32(1), 0];
  const column = [...i32(type), 0x25, isOptional ? 2 : 0, 0x18, ...text('a'), 0];
  const described = [
    ...[...i32(type), 0x19, 0x15, 2 * encoding, 0x19, 0x18, ...text('a'), ...i32(0)],
    ...[...i64(values), ...i64(size), ...i64(size), 0x26, 8, 0],
  ];
  const group = [0x19, 0x1c, 0x26, 8, 0x1c, ...described, 0, ...i64(size), ...i64(values), 0];
  const footer = Buffer.from([...i32(1), 0x19, 0x2c, ...root, ...column, ...i64(values), 0x19, 0x1c, ...group, 0]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from('PAR1'), Buffer.from([...header, ...page]), footer, length, Buffer.from('PAR1')]);
}

/** Seven bits a byte, the lowest first. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}
