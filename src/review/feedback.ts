import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import type { Capture } from '../schema/deployment.ts';
import type { LineageInput } from '../schema/lineage.ts';
import type { Artefact, Store } from '../store/store.ts';
import { listAnswers, type ReviewedAnswer, readAnswerRecords } from './answers.ts';

export interface BuildFeedbackRequest {
  readonly store: Store;
  /** The dataset is `feedback/<name>@<next version>`. */
  readonly name: string;
}

/**
 * Makes training data of judgements, the latest of each answer:
 * - `rows.jsonl`: `{messages, tools?, chat_template_kwargs?, facts?, martlet: {by, answer}}` of each approved or edited answer
 * - `preference.jsonl`: `{prompt, chosen, rejected, tools?, martlet}` of each edit, in TRL's conversational form: the
 *   edited text was preferred to the answer
 *
 * Gives the dataset there is when the same judgements were made into one of that name before.
 * @throws MartletError `nothing-approved`; `capture-changed` when an answer is not as it was given.
 */
export async function buildFeedback({ store, name }: BuildFeedbackRequest): Promise<Artefact> {
  const rows: unknown[] = [];
  const preferences: unknown[] = [];
  const decided: unknown[] = [];
  const deployments = new Map<string, LineageInput>();
  const counts = { approve: 0, edit: 0, reject: 0 };
  for await (const answer of listAnswers(store.root)) {
    const { capture, judged, problem } = answer;
    if (judged === null) continue;
    const { judgement } = judged;
    counts[judgement.verdict]++;
    if (judgement.verdict === 'reject') continue;
    if (problem !== null) throw problem;
    decided.push({ capture: fingerprint(capture), judgement });
    const given = assistantTurn(capture);
    rows.push(sftRow(answer, judgement.text === null ? given : assistant(judgement.text)));
    if (judgement.text !== null) preferences.push(preferenceRow(answer, assistant(judgement.text), given));
    const { deployment: address, deploymentFingerprint } = capture;
    deployments.set(`${address} ${deploymentFingerprint}`, {
      kind: 'deployment',
      address,
      fingerprint: deploymentFingerprint,
    });
  }
  if (rows.length === 0) {
    throw new MartletError('nothing-approved', `no captured answer in ${store.root} is approved or edited`, {
      hint: 'Run `martlet review` first.',
    });
  }
  const key = fingerprint({ judged: decided });
  const known = await store.find({ kind: 'feedback', name, key });
  if (known !== undefined) return known;
  // Judgements and fingerprints of answers all stand in the log up to here, so this is what the dataset was made from.
  const { head } = await readAnswerRecords(store.root);
  return store.create({ kind: 'feedback', name, key, inputs: [...deployments.values()] }, async (folder) => {
    await writeFile(join(folder, 'rows.jsonl'), jsonLines(rows));
    await writeFile(join(folder, 'preference.jsonl'), jsonLines(preferences));
    return {
      approved: counts.approve,
      edited: counts.edit,
      rejected: counts.reject,
      audit: head === undefined ? null : { sequence: head.sequence, hash: head.hash },
    };
  });
}

function sftRow(answer: ReviewedAnswer, turn: AssistantTurn): unknown {
  const { messages, tools, variables, facts } = answer;
  return { messages: [...messages, turn], tools, chat_template_kwargs: variables, facts, martlet: terms(answer) };
}

function preferenceRow(answer: ReviewedAnswer, chosen: AssistantTurn, rejected: AssistantTurn): unknown {
  const { messages: prompt, tools, variables } = answer;
  const row = { prompt, chosen: [chosen], rejected: [rejected], tools, chat_template_kwargs: variables };
  return { ...row, martlet: terms(answer) };
}

interface AssistantTurn {
  readonly role: 'assistant';
  readonly content: string;
  readonly tool_calls?: readonly unknown[];
}

/** The answer as a template is given it: its calls apart, so that training renders them as the model's template does. */
function assistantTurn({ answer, message }: Capture): AssistantTurn {
  if (!message) return assistant(answer);
  return { ...assistant(message.content), tool_calls: message.toolCalls };
}

function assistant(content: string): AssistantTurn {
  return { role: 'assistant', content };
}

/** Who stands behind the row: an approved answer counts as made by who approved it. */
function terms({ capture, judged }: ReviewedAnswer): unknown {
  return { by: judged?.judgement.madeBy, answer: capture.id };
}

function jsonLines(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
