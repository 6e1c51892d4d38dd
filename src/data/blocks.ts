import type { Json } from '../schema/common.ts';
import { isObject, type JsonObject } from './strict-json.ts';

const blockTypes = ['tool_use', 'tool_result', 'thinking', 'redacted_thinking'];

/**
 * A turn in Anthropic's blocks as the turns the other formats have: tool calls and thinking beside what is said, tool
 * results as turns of their own in front of what the user says. Null for a turn that has no such block.
 */
export function turnsOfBlocks(turn: JsonObject): JsonObject[] | null {
  const { content } = turn;
  if (!Array.isArray(content)) return null;
  const typed = content.map((block) => (isObject(block) && typeof block.type === 'string' ? block.type : ''));
  if (!typed.some((type) => blockTypes.includes(type))) return null;
  const blocks = (type: string): JsonObject[] =>
    content.filter((block): block is JsonObject => isObject(block) && block.type === type);
  const results = blocks('tool_result').map(
    (block): JsonObject => ({
      role: 'tool',
      content: resultText(block.content),
      ...(typeof block.tool_use_id === 'string' && { tool_call_id: block.tool_use_id }),
    }),
  );
  const said = content.filter((_, index) => !blockTypes.includes(typed[index] ?? ''));
  const calls = blocks('tool_use').map(
    ({ id, name, input }): JsonObject => ({
      ...(id !== undefined && { id }),
      function: { ...(name !== undefined && { name }), arguments: input ?? {} },
    }),
  );
  const thoughts = blocks('thinking').flatMap(({ thinking }) => (typeof thinking === 'string' ? [thinking] : []));
  if (said.length === 0 && calls.length === 0 && thoughts.length === 0) return results;
  const rest: JsonObject = {
    ...turn,
    content: said.length > 0 || calls.length === 0 ? joinedText(said) : null,
    ...(thoughts.length > 0 && { reasoning_content: thoughts.join('\n\n') }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return [...results, rest];
}

/** Blocks that are one text become that text. */
export function joinedText(blocks: readonly Json[]): Json {
  const [only] = blocks;
  return blocks.length === 1 && isObject(only) && only.type === 'text' && typeof only.text === 'string'
    ? only.text
    : [...blocks];
}

function resultText(content: Json | undefined): Json {
  if (content === undefined || content === null) return '';
  return Array.isArray(content) ? joinedText(content) : content;
}
