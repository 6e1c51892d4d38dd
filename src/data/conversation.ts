import { formatPath } from '../core/issue.ts';
import type { Message } from '../schema/sample.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';

export interface ConversationPlace {
  /** The column the messages came from, for the messages of issues. */
  readonly column: string;
  readonly notes: RowNotes;
  /** Messages before this one were checked already. 0 when absent. */
  readonly from?: number;
  /** Whether the column begins with the first message, and not with the one at `from`. */
  readonly isWhole?: boolean;
  /** Whether the column is a text and holds nothing but the answer. */
  readonly isText?: boolean;
  /** An answer in steps is several messages of the assistant, and meant so. */
  readonly inSteps?: boolean;
}

/** What holds of any conversation, whatever format it came in and whatever it is used for. */
export function checkConversation(messages: readonly Message[], place: ConversationPlace): void {
  const { column, notes, from = 0, isWhole = from === 0, isText = false, inSteps = false } = place;
  /** Calls not yet answered; null for a call without an id. */
  const open: (string | null)[] = [];
  let calls = 0;
  let begun = false;
  const asks = messages.some(({ role }) => role === 'user');
  for (const [index, message] of messages.entries()) {
    const isNew = index >= from;
    const path = [column, isWhole ? index : index - from];
    const isInstruction = message.role === 'system' || message.role === 'developer';
    if (isInstruction && begun && isNew)
      notes.problem({
        code: 'role-out-of-order',
        path,
        message: `a ${message.role} message stands after the conversation has begun.`,
        fix: 'Put it first, or give what it says to the user.',
      });
    if (isNew && !inSteps) noteOrder({ message, before: messages[index - 1], path, begun, asks }, notes);
    begun ||= !isInstruction;

    if (message.role === 'assistant') {
      const isAsked = notes.isQuestion && index === messages.length - 1;
      if (isNew && !isAsked && isEmptyAnswer(message))
        notes.problem({
          code: 'empty-answer',
          ...(isText
            ? { path: [column], message: 'the answer is empty.', fix: 'Write it, or take the row out.' }
            : {
                path,
                message: 'the assistant says nothing and calls nothing.',
                fix: 'Write its answer, or take the turn out.',
              }),
        });
      for (const call of message.tool_calls ?? []) open.push(call.id ?? null);
      calls += message.tool_calls?.length ?? 0;
    }
    if (message.role === 'tool') {
      const wanted = message.tool_call_id;
      // A result names its call, or takes the next one in order where ids are not used.
      const match = wanted === undefined ? (open.length > 0 ? 0 : -1) : indexOfCall(open, wanted);
      if (match >= 0) open.splice(match, 1);
      else if (isNew)
        notes.problem({
          code: 'tool-result-without-call',
          path,
          message:
            wanted === undefined
              ? `a tool result, but ${calls === 0 ? 'no call stands before it' : `all ${calls} calls before it have one`}.`
              : `no open call has the id ${shown(wanted)}.`,
          fix: 'Write the call into the assistant message before it.',
        });
    }
  }
}

/** Turns that do not take turns are read as they stand; whether they may, the recipe says, and the template. */
function noteOrder(
  turn: {
    readonly message: Message;
    readonly before: Message | undefined;
    readonly path: RowPath;
    readonly begun: boolean;
    /** Whether the user says anything at all; a text to go on from has only an assistant. */
    readonly asks: boolean;
  },
  notes: RowNotes,
): void {
  const { message, before, path, begun, asks } = turn;
  const { role } = message;
  const note = (what: string): void => {
    notes.changes.push(`${formatPath(path)}: ${what}`);
    notes.disorder.push({ path, what });
  };
  if (role === 'assistant' && !begun && asks) note('the assistant speaks first');
  const isAgain = before?.role === role && !before.tool_calls && (role === 'user' || role === 'assistant');
  if (isAgain) note(`two ${role} turns in a row`);
}

function indexOfCall(open: readonly (string | null)[], id: string): number {
  const exact = open.indexOf(id);
  return exact >= 0 ? exact : open.indexOf(null);
}

/** A turn of the assistant that says nothing and calls nothing. */
export const isEmptyAnswer = ({ role, content, tool_calls: calls }: Message): boolean =>
  role === 'assistant' && !calls && isEmpty(content);

function isEmpty(content: Message['content']): boolean {
  if (content === null) return true;
  if (typeof content === 'string') return content.trim() === '';
  return content.every((part) => part.type === 'text' && part.text.trim() === '');
}
