import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { formatPath, type Issue } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import type { Path, Place } from './places.ts';

/** A recipe has hundreds of values; aliases of aliases can make billions of a few lines. */
const maxValues = 100_000;
/** The deepest value of a recipe stands at depth 5; notes may be anything, within reason. */
const maxDepth = 64;

export interface YamlSource {
  /** What the text says; null where it says nothing. */
  readonly value: Json;
  readonly keys: Map<string, Place>;
  readonly values: Map<string, Place>;
  readonly issues: readonly Issue[];
  /** Whether the text could be read to its end; when not, `value` is not worth checking further. */
  readonly readable: boolean;
}

/**
 * Reads YAML 1.2 into plain values and remembers where each of them stands. Syntax errors are issues, and so is what YAML
 * allows but a recipe has no use for: tags, keys that are not text, a key set twice, anchors inside themselves.
 */
export function readYaml({ text, file }: { readonly text: string; readonly file: string }): YamlSource {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false });
  const issues: Issue[] = [];
  const keys = new Map<string, Place>();
  const values = new Map<string, Place>();
  const open = new Set<unknown>();
  const anchors = new Map<string, unknown>();
  let count = 0;
  let tooDeep: Path | undefined;

  const placeAt = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const report = (offset: number | undefined, issue: Omit<Issue, 'severity' | 'place'>): void => {
    issues.push({ severity: 'error', place: placeAt(offset ?? 0), ...issue });
  };

  // Inside an alias nothing is noted (`noted` false): what it repeats stands, for a reader, where the alias stands.
  const jsonOf = (node: unknown, path: Path, noted: boolean): Json => {
    if (++count > maxValues) return null;
    if (path.length > maxDepth) {
      tooDeep ??= path.slice(0, 4);
      return null;
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (noted) values.set(formatPath(path), placeAt(node.range?.[0] ?? 0));
      if (target && !open.has(target)) return jsonOf(target, path, false);
      const message = target ? `*${node.source} stands inside itself.` : `*${node.source} has no anchor.`;
      report(node.range?.[0], { code: 'yaml-alias', path, message, expected: `&${node.source} on an earlier value` });
      return null;
    }
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
    if (noted) values.set(formatPath(path), placeAt(node.range?.[0] ?? 0));
    if (noted && node.anchor) anchors.set(node.anchor, node);
    if (isScalar(node)) return node.value as Json;
    open.add(node);
    const value = isMap(node)
      ? mappingOf(node, path, noted)
      : node.items.map((item, index) => jsonOf(item, [...path, index], noted));
    open.delete(node);
    return value;
  };

  const mappingOf = (node: YAMLMap, path: Path, noted: boolean): Json => {
    const entries = new Map<string, Json>();
    for (const pair of node.items) {
      const key = isPair(pair) && isScalar(pair.key) ? pair.key : undefined;
      if (!key || key.value === null || typeof key.value === 'object') {
        report(node.range?.[0], {
          code: 'yaml-key',
          path,
          message: 'A key here is not text.',
          expected: 'a plain name',
        });
        continue;
      }
      const name = String(key.value);
      const inside = [...path, name];
      const place = placeAt(key.range?.[0] ?? 0);
      if (entries.has(name)) {
        const first = keys.get(formatPath(inside));
        report(key.range?.[0], {
          code: 'duplicate-key',
          path: inside,
          message: `"${name}" is set twice${first ? `, first on line ${first.line}` : ''}.`,
          fix: 'Keep one of them.',
        });
        continue;
      }
      if (noted) keys.set(formatPath(inside), place);
      entries.set(name, jsonOf(pair.value, inside, noted));
    }
    // fromEntries defines properties, so that a key named __proto__ stays a key.
    return Object.fromEntries(entries);
  };

  const syntax = document.errors.slice(0, 10);
  for (const error of syntax) report(error.pos[0], { code: 'yaml-syntax', path: [], ...syntaxMessage(error) });
  for (const warning of document.warnings)
    report(warning.pos[0], { code: 'yaml-tag', path: [], message: `${warning.message}.`, fix: 'Remove it.' });
  const readable = syntax.length === 0;
  const value = readable ? jsonOf(document.contents, [], true) : null;
  if (tooDeep) {
    const message = `Values are nested more than ${maxDepth} deep.`;
    issues.push({ code: 'yaml-size', severity: 'error', path: tooDeep, place: placeAt(0), message });
  }
  if (count > maxValues)
    report(0, { code: 'yaml-size', path: [], message: `More than ${maxValues} values, aliases written out.` });
  return { value, keys, values, issues, readable: readable && !tooDeep && count <= maxValues };
}

/** Reads the value of a flag, `--set name=<this>`: one YAML value, without places. */
export function readYamlValue(text: string): { readonly value: Json } | { readonly message: string } {
  const source = readYaml({ text, file: '' });
  const issue = source.issues[0];
  return issue ? { message: issue.message } : { value: source.value };
}

function syntaxMessage(error: { readonly code: string; readonly message: string }): {
  readonly message: string;
  readonly fix?: string;
} {
  switch (error.code) {
    case 'MULTIPLE_DOCS':
      return { message: 'A second document begins here (---).', fix: 'Keep one recipe a file.' };
    case 'TAB_AS_INDENT':
      return { message: 'A tab is used to indent.', fix: 'Indent with spaces.' };
    case 'BLOCK_AS_IMPLICIT_KEY':
      return { message: 'A second "key:" on one line.', fix: 'Put it on a line of its own, or the text in quotes.' };
    case 'RESOURCE_EXHAUSTION':
      return { message: 'Lists or mappings are nested too deeply.' };
    default:
      return { message: `${error.message}.` };
  }
}
