/** What Windows-1252 shows for the bytes 0x80 to 0x9f; 0 where it has nothing. */
const windows1252 = [
  0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0,
  0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
];

const byteOf = new Map(windows1252.flatMap((code, index) => (code === 0 ? [] : [[code, 0x80 + index] as const])));

/** Runs of characters that single bytes above 127 become; UTF-8 misread consists of nothing else. */
const runs = new RegExp(
  `[\\u0080-\\u00ff${[...byteOf.keys()].map((code) => String.fromCharCode(code)).join('')}]{2,}`,
  'g',
);

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Mends UTF-8 that was read as Windows-1252 or Latin-1 (`cafÃ©` for `café`), up to three times over. A run is mended only
 * when its bytes are whole UTF-8, which real text of such characters is next to never.
 */
export function mendEncoding(text: string): string {
  let now = text;
  for (let round = 0; round < 3; round++) {
    const mended = now.replace(runs, mendRun);
    if (mended === now) return now;
    now = mended;
  }
  return now;
}

function mendRun(run: string): string {
  const bytes = new Uint8Array(run.length);
  for (let i = 0; i < run.length; i++) {
    const code = run.charCodeAt(i);
    bytes[i] = code <= 0xff ? code : (byteOf.get(code) ?? 0);
  }
  let result = '';
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes[at] ?? 0);
    const decoded = length > 1 ? decode(bytes.subarray(at, at + length), length) : undefined;
    result += decoded ?? run[at];
    at += decoded === undefined ? 1 : length;
  }
  return result;
}

function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
}

function decode(bytes: Uint8Array, length: number): string | undefined {
  if (bytes.length < length) return undefined;
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
