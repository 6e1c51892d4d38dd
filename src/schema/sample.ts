import { z } from 'zod';
import { json, sha256Hex } from './common.ts';

export const toolCall = z
  .strictObject({
    id: z.string().optional().describe('The id a tool result refers to.'),
    type: z.literal('function').default('function').describe('The kind of call.'),
    function: z
      .strictObject({
        name: z.string().describe('The function called.'),
        arguments: z
          .union([z.string(), z.record(z.string(), json)])
          .describe('Its arguments, as an object or as JSON text.'),
      })
      .describe('What is called, and with what.'),
  })
  .describe('A call of a tool by the assistant.');

export const toolDefinition = z
  .union([z.record(z.string(), json), z.string()])
  .describe('A tool, or its JSON text where an object would lose the point of 1.0 or the order of its keys.');

export const contentPart = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text').describe('Text.'), text: z.string().describe('The text.') }),
    z.strictObject({
      type: z.literal('image').describe('An image.'),
      image: z.string().describe('Path, URL or content hash.'),
    }),
    z.strictObject({
      type: z.literal('audio').describe('Sound.'),
      audio: z.string().describe('Path, URL or content hash.'),
    }),
    z.strictObject({
      type: z.literal('video').describe('A video.'),
      video: z
        .union([z.string(), z.array(z.string()).min(1)])
        .describe('Path, URL or content hash; a list where it is given frame by frame.'),
    }),
  ])
  .describe('A part of a message.');

export const message = z
  .strictObject({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']).describe('Who speaks.'),
    content: z.union([z.string(), z.array(contentPart), z.null()]).describe('What is said.'),
    name: z.string().optional().describe('The name of the speaker or tool.'),
    reasoning_content: z.string().optional().describe('What the assistant thought before it answered.'),
    tool_calls: z.array(toolCall).optional().describe('The tools the assistant calls.'),
    tool_call_id: z.string().optional().describe('The call a tool result answers.'),
    learn: z.boolean().optional().describe('Overrides the recipe: whether this message is learned.'),
    weight: z.number().min(0).optional().describe('How strongly this message is learned; 1 when absent.'),
  })
  .describe('One turn of a conversation.');

export const provenance = z
  .strictObject({
    source: z.string().describe('The source as the recipe names it.'),
    file: z.string().describe('The file inside it; the source itself when it is a file.'),
    line: z
      .number()
      .int()
      .min(1)
      .describe(
        'The line the row began on, or its number where there are no lines (Parquet, a query), counted from 1.',
      ),
    rowGroup: z.number().int().min(1).optional().describe('The row group of a Parquet file, counted from 1.'),
    sha256: sha256Hex.describe('sha-256 of the raw row, as it stood in the file.'),
    licence: z.string().optional().describe('The licence the row is under (SPDX where there is one).'),
    consent: z.string().optional().describe('On what ground a person agreed to its use.'),
    embargo: z.iso.date().optional().describe('The day before which the row must not be used.'),
    by: z.enum(['person', 'machine', 'quickstart']).optional().describe('Who made or approved it.'),
    answer: z.string().optional().describe('The captured answer a feedback row came from.'),
  })
  .describe('Where a row came from and on what terms.');

const scalar = z.union([z.boolean(), z.number(), z.string()]);
const conversation = z.array(message).min(1);

/** An answer among several to the same question, with what a judge said of it. */
export const rankedAnswer = z
  .strictObject({
    messages: conversation.describe('The turns of the answer, in place of the last one of the conversation.'),
    score: z.number().optional().describe('The more the better.'),
    rank: z.number().int().optional().describe('The less the better; the best is first.'),
  })
  .describe('One of several answers.');

/** What `<ref-object>` and `<bbox>` in the text stand for, in their order. */
export const objects = z
  .strictObject({
    ref: z.array(z.string()).describe('Names, one for each `<ref-object>`.'),
    bbox: z
      .array(z.array(z.number()).refine(({ length }) => length === 2 || length === 4))
      .describe('Boxes [x1, y1, x2, y2] or points [x, y], one for each `<bbox>`.'),
    bbox_type: z
      .enum(['real', 'norm1', 'norm1000'])
      .describe('Pixels of the image, shares of its sides, or thousandths of its sides.'),
    image_id: z.array(z.number().int().min(0)).optional().describe('The image of each box, counted from 0.'),
  })
  .describe('Objects that the text points at.');

/** One canonical row, whatever format it was written in. */
export const sample = z
  .strictObject({
    id: z.string().describe('A stable hash of the content: equal rows have equal ids.'),
    messages: z.array(message).min(1).describe('The conversation.'),
    plain: z
      .literal(true)
      .optional()
      .describe('The messages are plain text: encoded without a chat template, and all of it is learned.'),
    rejected: z.array(message).optional().describe('The turns that were preferred less, in place of the last answer.'),
    rejectedFrom: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('How many messages stand before the rejected turns; all up to the last question when absent.'),
    rejectedTools: z
      .array(toolDefinition)
      .optional()
      .describe('The tools on offer to the rejected turns, where they are others.'),
    ranked: z
      .array(rankedAnswer)
      .optional()
      .describe('All answers that were judged; the best of them stands in messages.'),
    positives: z.array(conversation).optional().describe('What is alike, or relevant: a document each.'),
    negatives: z.array(conversation).optional().describe('What is unlike, or beside the point: a document each.'),
    label: z
      .union([scalar, z.array(scalar)])
      .optional()
      .describe('A verdict on the answer, its class or classes, or its measure.'),
    margin: z.number().optional().describe('By how much the answer was preferred.'),
    solution: json.optional().describe('What a scorer may compare an answer to.'),
    tools: z.array(toolDefinition).optional().describe('The tools on offer, as OpenAI defines them.'),
    objects: objects.optional(),
    variables: z.record(z.string(), json).optional().describe('More names for the chat template: enable_thinking ...'),
    facts: z.record(z.string(), json).optional().describe('The facts an answer must be supported by.'),
    extra: z.record(z.string(), json).optional().describe('Columns of the source that Martlet does not interpret.'),
    split: z.enum(['train', 'heldout']).describe('Which side of the split the row is on.'),
    provenance,
  })
  .describe('One canonical row.');

export type ToolCall = z.infer<typeof toolCall>;
export type ContentPart = z.infer<typeof contentPart>;
export type Message = z.infer<typeof message>;
export type Provenance = z.infer<typeof provenance>;
export type ToolDefinition = z.infer<typeof toolDefinition>;
export type RankedAnswer = z.infer<typeof rankedAnswer>;
export type Objects = z.infer<typeof objects>;
export type Sample = z.infer<typeof sample>;
