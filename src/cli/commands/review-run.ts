import { text as readAll } from 'node:stream/consumers';
import { issuesError, MartletError } from '../../core/error.ts';
import type { Issue } from '../../core/issue.ts';
import { buildFeedback, judge, listAnswers, openAnswer, type ReviewedAnswer } from '../../pipeline.ts';
import type { Judgement } from '../../schema/audit.ts';
import { openStore } from '../../store/open-store.ts';
import type { Artefact, Store } from '../../store/store.ts';
import type { CliContext } from '../context.ts';
import { readGivenFile } from '../given-file.ts';
import { formatTable } from '../print/table.ts';
import { storeRoot } from '../store-root.ts';
import { userName } from '../user-name.ts';
import { countClaims, formatAnswer, printable } from './review-print.ts';
import { type Decision, terminalPrompter, walkAnswers } from './review-walk.ts';

export interface ReviewOptions {
  readonly answer?: string;
  readonly approve?: true;
  readonly edit?: string;
  readonly reject?: string;
  readonly reason?: string;
  readonly by?: string;
  readonly madeBy: Judgement['madeBy'];
  readonly list?: true;
  readonly all?: true;
  readonly feedback?: string;
  readonly json?: true;
}

/** Judges, lists or shows captured answers, and makes feedback of the judgements. */
export async function run(options: ReviewOptions, context: CliContext): Promise<void> {
  const by = options.by ?? userName(context) ?? '';
  checkOptions(options, by);
  const store = await openStore({ root: storeRoot(context), clock: context.now, who: by || 'unknown' });
  const record = async (decision: Decision): Promise<Judgement> =>
    judge({ store, by, madeBy: options.madeBy, at: context.now(), ...decision });

  let judgement: Judgement | undefined;
  if (options.list) return list(store, options, context);
  if (options.answer !== undefined) {
    const decision = await decisionOf(options, { answer: options.answer, context });
    if (decision === undefined) return show(await openAnswer(store.root, options.answer), options, context);
    judgement = await record(decision);
    if (!options.json) context.out(`${judgement.verdict} ${judgement.answer} by ${judgement.by}\n`);
  } else if (context.isTerminal && context.stdin.isTTY && !options.json) {
    const answers = listAnswers(store.root, { unreviewed: true });
    const counts = await walkAnswers({ answers, prompter: await terminalPrompter(context), record, context });
    const { approve, edit, reject, skip } = counts;
    context.err(`${approve} approved, ${edit} edited, ${reject} rejected, ${skip} skipped\n`);
  } else if (options.feedback === undefined) {
    throw new MartletError('needs-terminal', 'answers are walked on a terminal, and this is none', {
      hint: 'Use --list, then --answer <id> with --approve, --edit <file> or --reject <reason>.',
    });
  }
  const feedback = options.feedback === undefined ? undefined : await buildFeedback({ store, name: options.feedback });
  if (options.json) context.out(`${JSON.stringify({ judgement: judgement ?? null, feedback: described(feedback) })}\n`);
  else if (feedback !== undefined) {
    context.out(`feedback/${feedback.address}\n`);
    context.err('Name it in a recipe: data.sources: [{ from: ');
    context.err(`feedback/${feedback.address} }]\n`);
  }
}

function described(feedback: Artefact | undefined): unknown {
  if (feedback === undefined) return null;
  const { address, folder, lineage } = feedback;
  return { address: `feedback/${address}`, folder, fingerprint: lineage.fingerprint, facts: lineage.facts };
}

function checkOptions(options: ReviewOptions, by: string): void {
  const verdicts = (['approve', 'edit', 'reject'] as const).filter((name) => options[name] !== undefined);
  const issues: Issue[] = [];
  const wrong = (path: string, message: string, fix: string): void => {
    issues.push({ code: 'wrong-flags', severity: 'error', path: [path], message, fix });
  };
  if (verdicts.length > 1)
    wrong('--answer', `${verdicts.map((name) => `--${name}`).join(' and ')} exclude each other.`, 'Give one.');
  if (verdicts.length > 0 && options.answer === undefined)
    wrong(`--${verdicts[0]}`, 'no answer is named.', 'Add --answer <id>; --list shows them.');
  // A walk asks for verdicts later; those are not to be lost for want of a name.
  const walks = !options.list && options.answer === undefined && options.feedback === undefined;
  if (by.trim() === '' && (verdicts.length > 0 || walks))
    wrong('--by', 'nobody is named, and this machine has no name for its user.', 'Say who decides: --by <name>.');
  if (options.reason !== undefined && options.edit === undefined)
    wrong('--reason', 'it belongs to --edit.', 'A rejection takes its reason itself: --reject <reason>.');
  if (options.list && (options.answer !== undefined || options.feedback !== undefined))
    wrong('--list', 'it only lists.', 'Give it alone, or with --all and --json.');
  if (issues.length > 0) throw issuesError('the command', issues);
}

async function decisionOf(
  options: ReviewOptions,
  { answer, context }: { readonly answer: string; readonly context: CliContext },
): Promise<Decision | undefined> {
  if (options.approve) return { answer, verdict: 'approve' };
  if (options.reject !== undefined) return { answer, verdict: 'reject', reason: options.reject };
  if (options.edit === undefined) return undefined;
  const text =
    options.edit === '-'
      ? await readAll(context.stdin)
      : await readGivenFile(options.edit, { flag: '--edit', cwd: context.cwd });
  return { answer, verdict: 'edit', text, ...(options.reason !== undefined && { reason: options.reason }) };
}

function show(answer: ReviewedAnswer, options: ReviewOptions, context: CliContext): void {
  context.out(options.json ? `${JSON.stringify(summary(answer))}\n` : formatAnswer(answer, context));
}

async function list(store: Store, options: ReviewOptions, context: CliContext): Promise<void> {
  const answers: ReviewedAnswer[] = [];
  for await (const answer of listAnswers(store.root, { unreviewed: options.all !== true })) answers.push(answer);
  if (options.json) {
    context.out(`${JSON.stringify(answers.map(summary), null, 2)}\n`);
    return;
  }
  if (answers.length === 0) {
    context.err(`no captured answer ${options.all ? 'stands' : 'waits for review'} in ${store.root}\n`);
    return;
  }
  const columns = ['answer', 'given', 'model', 'claims', 'judged', 'text'].map((title) => ({ title }));
  const rows = answers.map(({ capture, claims, judgement, problem }) => [
    capture.id,
    capture.at.slice(0, 16).replace('T', ' '),
    capture.model,
    problem === null ? countClaims(claims) : problem.code,
    judgement?.verdict ?? '',
    shorten(printable(capture.answer)),
  ]);
  context.out(formatTable(columns, rows));
}

function summary({ capture, claims, judgement, judgedAt, problem }: ReviewedAnswer): unknown {
  const { id, at, deployment, model, request, answer } = capture;
  return { id, at, deployment, model, request, answer, claims, judgement, judgedAt, problem: problem?.message ?? null };
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
