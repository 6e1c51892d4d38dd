import { join } from 'node:path';
import { issuesError, MartletError } from '../core/error.ts';
import type { Issue } from '../core/issue.ts';
import { type Judgement, judgement } from '../schema/audit.ts';
import { appendAudit } from '../store/audit/audit-log.ts';
import { withLock } from '../store/files/lock.ts';
import type { Store } from '../store/store.ts';
import { openAnswer, type RecordedJudgement, type ReviewedAnswer, readAnswerRecords } from './answers.ts';

export interface JudgeRequest {
  readonly store: Pick<Store, 'root'>;
  /** The id of a captured answer. */
  readonly answer: string;
  readonly verdict: Judgement['verdict'];
  /** The text as it should have been; for an edit. */
  readonly text?: string | undefined;
  /** Why; needed for a rejection. */
  readonly reason?: string | undefined;
  /** Who decided. */
  readonly by: string;
  readonly madeBy: Judgement['madeBy'];
  /** Claims that were shown as not supported; found anew when absent. */
  readonly unsupported?: readonly string[] | undefined;
  /** Whether it takes the place of an earlier judgement of the answer. Otherwise one that is there is left alone. */
  readonly replace?: boolean | undefined;
  readonly at: Date;
}

/** A judgement as it was recorded. */
export interface Judged {
  readonly judgement: Judgement;
  /** The one it took the place of. */
  readonly replaced: RecordedJudgement | null;
}

/**
 * Appends a judgement of a captured answer to the audit log. One that replaces an earlier one counts in its place; both
 * stay in the log.
 * @throws MartletError `invalid-input` with everything that is wrong with it; `already-judged`, saying how, by whom and
 * when; `answer-missing`; `capture-changed`; `request-unreadable`.
 */
export async function judge(request: JudgeRequest): Promise<Judged> {
  const { verdict, text, reason, at, replace = false } = request;
  const { root } = request.store;
  const answer = await openAnswer(root, request.answer);
  const issues = judgementIssues({ ...request, given: answer.capture.answer });
  if (issues.length > 0) throw issuesError('the judgement', issues);
  const made = judgement.parse({
    schema: 'judgement/1',
    answer: request.answer,
    verdict,
    text: verdict === 'edit' ? (text?.trim() ?? null) : null,
    reason: reason?.trim() || null,
    by: request.by.trim(),
    madeBy: request.madeBy,
    unsupported: [...(request.unsupported ?? unsupportedClaims(answer))],
  });
  // Of two who judge the same answer at once, the second is to hear of the first.
  return withLock(join(root, 'audit', 'judging'), async () => {
    const replaced = (await readAnswerRecords(root)).judgements.get(made.answer) ?? null;
    if (replaced !== null && !replace) throw alreadyJudged(replaced);
    await appendAudit({ root, at, kind: 'judgement', subject: made.answer, content: made });
    return { judgement: made, replaced };
  });
}

/** What was decided, by whom and when: `edit by Ada, 2026-01-02 03:04 UTC`. */
export function judgedLine({ judgement, at }: RecordedJudgement): string {
  return `${judgement.verdict} by ${judgement.by}, ${at.slice(0, 16).replace('T', ' ')} UTC`;
}

function alreadyJudged(judged: RecordedJudgement): MartletError {
  const { answer, text, reason } = judged.judgement;
  const words = text ?? reason;
  const line = `${judgedLine(judged)}${words === null ? '' : `, ${JSON.stringify(words)}`}`;
  return new MartletError('already-judged', `answer ${answer} is judged already: ${line}`, {
    hint: 'Add --replace to judge it anew; the audit log keeps both.',
  });
}

/** The words of the answer that its facts do not bear out. */
export function unsupportedClaims({ claims }: Pick<ReviewedAnswer, 'claims'>): readonly string[] {
  return claims.filter(({ verdict }) => verdict !== 'supported').map(({ text }) => text);
}

function judgementIssues(
  request: Pick<JudgeRequest, 'verdict' | 'text' | 'reason' | 'by'> & { readonly given: string },
): Issue[] {
  const { verdict, text, reason, by, given } = request;
  const issues: Issue[] = [];
  const wrong = (path: string, message: string, fix: string): void => {
    issues.push({ code: 'wrong-judgement', severity: 'error', path: [path], message, fix });
  };
  if (by.trim() === '') wrong('by', 'nobody is named.', 'Say who decided.');
  if (verdict === 'edit') {
    if (text === undefined || text.trim() === '')
      wrong('text', 'the edited text is empty.', 'Give the whole text, or reject.');
    else if (text.trim() === given.trim()) wrong('text', 'the text is as it was.', 'Approve it instead.');
  } else if (text !== undefined) wrong('text', `a text was given to ${verdict}.`, 'Use edit to change the text.');
  if (verdict === 'reject' && (reason === undefined || reason.trim() === ''))
    wrong('reason', 'a rejection has no reason.', 'Say what is wrong with the answer.');
  return issues;
}
