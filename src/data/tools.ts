import type { Json } from '../schema/common.ts';
import type { ToolDefinition } from '../schema/sample.ts';
import { withoutPadding } from './arrow-padding.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isNothing, isObject, type JsonObject, readStrictJson } from './strict-json.ts';

/** A list of tool definitions, or its JSON as text (columnar stores cannot hold it otherwise). */
export function readTools(row: JsonObject, column: string, notes: RowNotes): ToolDefinition[] | undefined {
  const given = row[column];
  const isText = typeof given === 'string' && given.trim() !== '';
  const found = notes.issues.length;
  const value = isText ? readStrictJson(given, notes, [column]) : given;
  if (isNothing(value) && notes.issues.length === found) return undefined;
  if (Array.isArray(value) && value.every((tool) => isObject(tool) || isToolText(tool)))
    return value.map((tool, index) => withoutPadding(asDefinition(tool), index, notes));
  if (notes.issues.length === found)
    notes.problem({
      code: 'wrong-type',
      path: [column],
      message: `found ${shown(given)}.`,
      expected: 'a list of tool definitions, or its JSON',
    });
  return undefined;
}

/** One that is text is the JSON of a definition whose numbers an object would not keep. */
const isToolText = (value: Json): value is string => typeof value === 'string' && /^\s*\{/.test(value);

/** As OpenAI has it: `{type, function}`. A function alone, and Anthropic's with `input_schema`, are put into that form. */
function asDefinition(tool: JsonObject | string): ToolDefinition {
  if (typeof tool === 'string') return textDefinition(tool);
  if (!isFunctionAlone(tool)) return tool;
  // In their order: a template prints them as they stand.
  const members = Object.entries(tool).map(([key, value]) => [key === 'input_schema' ? 'parameters' : key, value]);
  return { type: 'function', function: Object.fromEntries(members) as JsonObject };
}

const isFunctionAlone = (tool: JsonObject): boolean =>
  typeof tool.name === 'string' && tool.function === undefined && tool.type === undefined;

function textDefinition(text: string): string {
  let tool: Json;
  try {
    tool = JSON.parse(text) as Json;
  } catch {
    return text;
  }
  if (!isObject(tool) || !isFunctionAlone(tool)) return text;
  return `{"type": "function", "function": ${text.replace(/(?<!\\)"input_schema"(?=\s*:)/, '"parameters"')}}`;
}
