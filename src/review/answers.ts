import { z } from 'zod';
import { MartletError } from '../core/error.ts';
import { fingerprint } from '../core/fingerprint.ts';
import { checkClaims, factsFromMessages } from '../grounding/index.ts';
import { type AuditRecord, type Judgement, judgement } from '../schema/audit.ts';
import type { Json } from '../schema/common.ts';
import type { Capture } from '../schema/deployment.ts';
import type { Claim } from '../schema/report.ts';
import { readAudit } from '../store/audit/audit-log.ts';
import { findCapture, readCaptures } from '../store/audit/captures.ts';

/** A captured answer as a reviewer needs it. */
export interface ReviewedAnswer {
  readonly capture: Capture;
  /** Why it cannot be judged: it is not the answer that was given, or its request is no conversation. */
  readonly problem: MartletError | null;
  /** The conversation it answered, each message as it was sent. */
  readonly messages: readonly RequestMessage[];
  readonly tools: readonly unknown[] | undefined;
  /** What the chat template was told beside. */
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** What the question holds as facts; undefined when it holds none, and then there are no claims. */
  readonly facts: Readonly<Record<string, Json>> | undefined;
  /** Checkable statements of the answer, held against those facts. */
  readonly claims: readonly Claim[];
  /** The latest judgement; null when nobody has judged it yet. */
  readonly judged: RecordedJudgement | null;
}

/** A judgement as the audit log has it. */
export interface RecordedJudgement {
  readonly judgement: Judgement;
  readonly at: string;
}

export type RequestMessage = z.infer<typeof requestMessage>;

/** What the audit log knows of answers. */
export interface AnswerRecords {
  /** Fingerprints of captures, by answer. */
  readonly captures: ReadonlyMap<string, string>;
  /** The latest judgement, by answer. */
  readonly judgements: ReadonlyMap<string, RecordedJudgement>;
  /** The newest record of the log. */
  readonly head: AuditRecord | undefined;
}

export async function readAnswerRecords(root: string): Promise<AnswerRecords> {
  const captures = new Map<string, string>();
  const judgements = new Map<string, RecordedJudgement>();
  let head: AuditRecord | undefined;
  for await (const record of readAudit(root)) {
    head = record;
    if (record.kind === 'judgement')
      judgements.set(record.subject, { judgement: judgement.parse(record.content), at: record.at });
    if (record.kind === 'capture') captures.set(record.subject, captureContent.parse(record.content).fingerprint);
  }
  return { captures, judgements, head };
}

export interface ListOptions {
  /** Leave out those that were judged. */
  readonly unreviewed?: boolean;
  readonly wanted?: (capture: Capture) => boolean;
}

/** All captured answers, in the order they were given. */
export async function* listAnswers(
  root: string,
  { unreviewed = false, wanted = () => true }: ListOptions = {},
): AsyncGenerator<ReviewedAnswer> {
  const records = await readAnswerRecords(root);
  for await (const { capture } of readCaptures(root)) {
    if (!wanted(capture) || (unreviewed && records.judgements.has(capture.id))) continue;
    yield reviewedAnswer(capture, records);
  }
}

/** @throws MartletError `answer-missing`, naming the nearest id there is; the answer's `problem`. */
export async function openAnswer(root: string, answer: string): Promise<ReviewedAnswer> {
  const { capture } = await findCapture(root, answer);
  const reviewed = reviewedAnswer(capture, await readAnswerRecords(root));
  if (reviewed.problem !== null) throw reviewed.problem;
  return reviewed;
}

function reviewedAnswer(capture: Capture, records: AnswerRecords): ReviewedAnswer {
  const request = chatRequest.safeParse(capture.request).data;
  const messages = request?.messages ?? [];
  const facts = factsFromMessages(messages.map(({ role, content }) => ({ role, content })));
  return {
    capture,
    problem: problemOf(capture, { records, readable: request !== undefined }),
    messages,
    tools: request?.tools,
    variables: request?.chat_template_kwargs,
    facts,
    claims: facts === undefined ? [] : checkClaims({ answer: capture.answer, facts }),
    judged: records.judgements.get(capture.id) ?? null,
  };
}

function problemOf(
  capture: Capture,
  known: { readonly records: AnswerRecords; readonly readable: boolean },
): MartletError | null {
  if (known.records.captures.get(capture.id) !== fingerprint(capture)) {
    return new MartletError('capture-changed', `answer ${capture.id} is not as the audit log recorded it`, {
      hint: `Run \`martlet trace ${capture.id}\` to see what was changed.`,
    });
  }
  if (known.readable) return null;
  return new MartletError('request-unreadable', `the request of answer ${capture.id} holds no messages`, {
    hint: 'Only answers to a conversation can be judged.',
  });
}

const captureContent = z.object({ fingerprint: z.string() });

const requestMessage = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(z.unknown()), z.null()]).optional(),
});

/** What review needs of a request; the rest of it, and of each message, is kept as it was sent. */
const chatRequest = z.object({
  messages: z.array(requestMessage).min(1),
  tools: z.array(z.unknown()).min(1).optional(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).optional(),
});
