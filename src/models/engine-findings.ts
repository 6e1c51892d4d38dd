import { MartletError } from '../core/error.ts';
import { type Finding, firstDifference, type RowDocument } from '../render/index.ts';
import type { Sample } from '../schema/sample.ts';
import type { PromptEngine } from '../spec/prompt-engine.ts';
import { chatBody } from './chat-body.ts';
import type { Encoder } from './encoder.ts';

interface EngineRequest {
  readonly engine: PromptEngine;
  readonly encoder: Encoder;
  readonly sample: Sample;
  readonly documents: readonly RowDocument[];
}

interface EngineFindings {
  /** How many prompts were asked for. */
  readonly prompts: number;
  readonly findings: readonly Finding[];
}

/**
 * (g): what an engine computes on before each learned answer is what the answer was trained behind. The engine is asked as
 * a client would ask it, with the messages of the row.
 */
export async function engineFindings({ engine, encoder, sample, documents }: EngineRequest): Promise<EngineFindings> {
  // Plain text is continued, not answered: no engine is asked with it.
  if (sample.plain) return { prompts: 0, findings: [] };
  const findings: Finding[] = [];
  let prompts = 0;
  const own = answersOf(sample.messages);
  for (const [document, { value, request }] of documents.entries()) {
    // Rendering may put a system message in front and join results of tools: answers keep their order.
    const rendered = answersOf(request.messages);
    for (const turn of value.turns) {
      if (request.messages[turn.message]?.role !== 'assistant' || !turn.promptMatches) continue;
      const messages = sample.messages.slice(0, own[rendered.indexOf(turn.message)]);
      // An answer that opens a conversation is asked for by nobody.
      if (messages.length === 0) continue;
      prompts++;
      const ours = value.ids.subarray(0, turn.firstToken);
      const said = await saidBy(engine, chatBody({ ...sample, messages }));
      const different = typeof said === 'string' ? ours.length : firstDifference(said, ours);
      if (different < 0) continue;
      const first = Math.max(0, different - 4);
      const tokens = Array.from(value.ids.subarray(first, first + 9), (id, at) => ({
        id,
        text: encoder.tokenizer.tokenOf(id) ?? '?',
        weight: value.weights[first + at] ?? 0,
      }));
      const refused = typeof said === 'string';
      const named = (id: number | undefined): string =>
        id === undefined ? 'nothing' : `${id} (${JSON.stringify(encoder.tokenizer.tokenOf(id) ?? '?')})`;
      findings.push({
        check: 'g',
        code: refused ? 'engine-refused' : 'engine-differs',
        severity: 'error',
        path: ['messages', turn.message],
        message: refused
          ? `${engine.name} refuses the prompt of this answer: ${said}`
          : `${engine.name} computes on ${named(said[different])} as token ${different} of the prompt, where training has ${named(ours[different])}`,
        fix: refused
          ? 'What is trained here could not be asked of it: take out of the rows what it does not know.'
          : 'The engine renders or cuts the prompt otherwise: give it the template and tokenizer of the model.',
        document,
        window: { first, tokens },
      });
    }
  }
  return { prompts, findings };
}

/** The ids, or why there are none. */
async function saidBy(
  engine: PromptEngine,
  body: Parameters<PromptEngine['promptIds']>[0],
): Promise<readonly number[] | string> {
  try {
    return await engine.promptIds(body);
  } catch (error) {
    if (!MartletError.is(error)) throw error;
    return error.issues.length > 0 ? error.issues.map(({ message }) => message).join(' ') : error.message;
  }
}

function answersOf(messages: readonly { readonly role?: unknown }[]): number[] {
  return messages.flatMap(({ role }, at) => (role === 'assistant' ? [at] : []));
}
