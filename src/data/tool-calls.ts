import { formatPath } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import type { ToolCall } from '../schema/sample.ts';
import { isJson } from '../store/rows/cell-json.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';
import { isObject, type JsonObject, readStrictJson } from './strict-json.ts';

/** OpenAI's `tool_calls`, or its older `function_call`. Undefined when the turn calls nothing. */
export function readToolCalls(turn: JsonObject, path: RowPath, notes: RowNotes): ToolCall[] | undefined {
  const written = turn.tool_calls ?? (turn.function_call ? [turn.function_call] : undefined);
  if (written === undefined || (Array.isArray(written) && written.length === 0)) return undefined;
  const at = [...path, turn.tool_calls ? 'tool_calls' : 'function_call'];
  if (!Array.isArray(written)) {
    notes.problem({ code: 'wrong-type', path: at, message: `found ${shown(written)}.`, expected: 'a list of calls' });
    return undefined;
  }
  return written.flatMap((call, index) => readCall(call, [...at, index], notes) ?? []);
}

/** The calls that a turn of its own holds as JSON text. */
export function readCallText(value: Json | undefined, path: RowPath, notes: RowNotes): ToolCall[] {
  const written = typeof value === 'string' ? readStrictJson(value, notes, path) : value;
  if (typeof value === 'string' && written === undefined) return [];
  if (written === undefined || written === null || (Array.isArray(written) && written.length === 0)) {
    notes.problem({
      code: 'tool-call-unreadable',
      path,
      message: `found ${shown(value)}.`,
      expected: 'JSON such as {"name": ..., "arguments": {...}}',
    });
    return [];
  }
  const calls = Array.isArray(written) ? written : [written];
  return calls.flatMap((call) => readCall(call, path, notes) ?? []);
}

/** `{function: {name, arguments}}`, or name and arguments directly. */
function readCall(call: Json, path: RowPath, notes: RowNotes): ToolCall | null {
  const body = isObject(call) && isObject(call.function) ? call.function : call;
  const given = isObject(body) ? (body.arguments ?? body.parameters ?? {}) : undefined;
  if (!isObject(body) || typeof body.name !== 'string' || !(typeof given === 'string' || isObject(given))) {
    notes.problem({
      code: 'tool-call-unreadable',
      path,
      message: `found ${shown(call)}.`,
      expected: 'a call with a name and arguments (an object, or its JSON)',
    });
    return null;
  }
  if (typeof given === 'string' && given.trim() !== '' && !isJson(given))
    notes.changes.push(`${formatPath(path)}: the arguments of ${body.name} are no JSON, and stay as they are`);
  const id = isObject(call) && typeof call.id === 'string' ? call.id : undefined;
  return { ...(id !== undefined && { id }), type: 'function', function: { name: body.name, arguments: given } };
}
