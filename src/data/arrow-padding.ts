import { formatPath } from '../core/issue.ts';
import { entriesOf, type Fields, isFields, jsonIn, memberOf, plainOrText } from '../render/json-text.ts';
import type { TemplateData } from '../render/messages.ts';
import type { Message, ToolCall, ToolDefinition } from '../schema/sample.ts';
import type { RowNotes } from './row-notes.ts';

/**
 * Arrow keeps objects as structs with the members of all rows: a tool comes back with the parameters of every other tool,
 * and a call with the arguments of every other call, each as null. A template would print them.
 */

/** Words of JSON Schema below which the author names the members. */
const namesMembers = new Set([
  ...['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'],
]);
const nullMeansNull = new Set(['default', 'const']);
const listsNulls = new Set(['enum', 'examples']);

/** The definition without nulls that mean nothing in JSON Schema, as ms-swift reads it; how many went is noted. */
export function withoutPadding(tool: ToolDefinition, index: number, notes: RowNotes): ToolDefinition {
  const value = typeof tool === 'string' ? jsonIn(tool) : tool;
  let left = 0;
  const strip = (inner: TemplateData, isNamed: boolean): TemplateData => {
    if (Array.isArray(inner)) return inner.map((item) => strip(item, false));
    if (!isFields(inner)) return inner;
    const members = entriesOf(inner).flatMap(([key, member]): [string, TemplateData][] => {
      if (!isNamed && (nullMeansNull.has(key) || key.startsWith('x-'))) return [[key, member]];
      if (member === null) {
        left++;
        return [];
      }
      if (!isNamed && listsNulls.has(key)) return [[key, member]];
      return [[key, strip(member, !isNamed && namesMembers.has(key))]];
    });
    return remade(inner, members);
  };
  const stripped = strip(value, false);
  if (left === 0) return tool;
  notes.changes.push(`tools[${index}]: ${left} ${left === 1 ? 'member that is' : 'members that are'} null left out`);
  return (typeof tool === 'string' ? plainOrText(stripped) : stripped) as ToolDefinition;
}

/**
 * Messages whose calls leave out each null argument that the tool has no parameter for; what goes is noted, and what may
 * have to.
 */
export function withoutPaddedArguments(
  messages: Message[],
  tools: readonly ToolDefinition[] | undefined,
  notes: RowNotes,
): Message[] {
  if (!messages.some(({ tool_calls }) => tool_calls)) return messages;
  const parameters = new Map(tools?.map(parametersOf));
  return messages.map((message, index) => {
    if (!message.tool_calls) return message;
    const calls = message.tool_calls.map((call, at) => {
      const { name } = call.function;
      const known = parameters.get(name);
      const { kept, left } = withoutUnknownNulls(call, known ?? {});
      if (left.length === 0) return call;
      const place = `${formatPath(['messages', index, 'tool_calls', at])}: null for ${left.join(', ')}`;
      if (known === undefined) {
        notes.changes.push(
          `${place} is kept: nothing says which parameters ${name} has, and it may be a table's padding`,
        );
        return call;
      }
      notes.changes.push(`${place} left out, which ${name} has no parameter for`);
      return { ...call, function: { name, arguments: kept } };
    });
    return { ...message, tool_calls: calls };
  });
}

/** @param known the parameters of the tool */
function withoutUnknownNulls({ function: { arguments: given } }: ToolCall, known: TemplateData) {
  const value = typeof given === 'string' ? jsonIn(given) : (given as TemplateData);
  if (!isFields(value)) return { kept: given, left: [] };
  const members = entriesOf(value);
  const kept = members.filter(([key, member]) => member !== null || memberOf(known, key) !== undefined);
  const left = members.filter((member) => !kept.includes(member)).map(([key]) => key);
  const rest = remade(value, kept);
  return { kept: (typeof given === 'string' ? plainOrText(rest) : rest) as typeof given, left };
}

/** The name of a tool and the object of its parameters, where both are there. */
function parametersOf(tool: ToolDefinition): [name: TemplateData, properties: TemplateData] {
  const value = typeof tool === 'string' ? jsonIn(tool) : tool;
  const definition = memberOf(value, 'function') ?? value;
  const properties = memberOf(memberOf(definition, 'parameters'), 'properties');
  return [memberOf(definition, 'name'), isFields(properties) ? properties : undefined];
}

function remade(fields: Fields, members: readonly (readonly [string, TemplateData])[]): TemplateData {
  return fields instanceof Map ? new Map(members) : Object.fromEntries(members);
}
