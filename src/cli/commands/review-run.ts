import { resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { issuesError, MartletError } from '../../core/error.ts';
import type { Issue } from '../../core/issue.ts';
import { stoppedError } from '../../core/stopped.ts';
import {
  buildFeedback,
  type Judged,
  judge,
  judgedLine,
  listAnswers,
  openAnswer,
  type ReviewedAnswer,
} from '../../pipeline.ts';
import type { Judgement } from '../../schema/audit.ts';
import type { Capture } from '../../schema/deployment.ts';
import { openStore } from '../../store/open-store.ts';
import type { Artefact, Store } from '../../store/store.ts';
import type { CliContext } from '../context.ts';
import { readGivenFile } from '../given-file.ts';
import { formatTable } from '../print/table.ts';
import { storeRoot } from '../store-root.ts';
import { userName } from '../user-name.ts';
import { countClaims, formatAnswer, originOf, printable, shortTime } from './review-print.ts';
import { type Decision, terminalPrompter, walkAnswers } from './review-walk.ts';

export interface ReviewOptions {
  readonly answer?: string;
  readonly approve?: true;
  readonly edit?: string;
  readonly reject?: string;
  readonly reason?: string;
  readonly replace?: true;
  readonly by?: string;
  readonly madeBy: Judgement['madeBy'];
  readonly from?: string;
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
  const record = async (decision: Decision): Promise<Judged> =>
    judge({ store, by, madeBy: options.madeBy, at: context.now(), ...decision });

  let judged: Judged | undefined;
  if (options.list) return list(store, options, context);
  if (options.answer !== undefined) {
    const decision = await decisionOf(options, { answer: options.answer, context });
    if (decision === undefined) return show(await openAnswer(store.root, options.answer), options, context);
    judged = await record(decision);
    if (!options.json) context.out(recordedLine(judged));
  } else if (context.isTerminal && context.stdin.isTTY && !options.json) {
    const answers = queue(store.root, { unreviewed: true, from: options.from, context });
    const walked = await walkAnswers({ answers, prompter: await terminalPrompter(context), record, context });
    const { approve, edit, reject, skip } = walked.counts;
    const counted = `${approve} approved, ${edit} edited, ${reject} rejected, ${skip} skipped`;
    if (walked.isStopped) throw stopped(counted, options);
    context.err(`${counted}\n`);
  } else if (options.feedback === undefined) {
    throw new MartletError('needs-terminal', 'answers are walked on a terminal, and this is none', {
      hint: 'Use --list, then --answer <id> with --approve, --edit <file> or --reject <reason>.',
    });
  }
  const feedback = options.feedback === undefined ? undefined : await buildFeedback({ store, name: options.feedback });
  if (options.json) {
    const { judgement = null, replaced = null } = judged ?? {};
    context.out(`${JSON.stringify({ judgement, replaced, feedback: described(feedback) })}\n`);
  } else if (feedback !== undefined) {
    context.out(`feedback/${feedback.address}\n`);
    context.err('Name it in a recipe: data.sources: [{ from: ');
    context.err(`feedback/${feedback.address} }]\n`);
  }
}

function recordedLine({ judgement, replaced }: Judged): string {
  const instead = replaced === null ? '' : `, in place of: ${judgedLine(replaced)}`;
  return `${judgement.verdict} ${judgement.answer} by ${judgement.by}${instead}\n`;
}

function stopped(counted: string, { feedback }: ReviewOptions): MartletError {
  const none = feedback === undefined ? '' : `; feedback/${feedback} was not made`;
  return stoppedError(`the review was stopped: ${counted}, all of it kept${none}`, {
    next: 'Give the same command again: it goes on with the answers that are left.',
  });
}

/** Those given to people come first: a batch would bury them. */
async function* queue(
  root: string,
  request: {
    readonly unreviewed: boolean;
    readonly from: string | undefined;
    readonly context: Pick<CliContext, 'cwd'>;
  },
): AsyncGenerator<ReviewedAnswer> {
  const { unreviewed, from, context } = request;
  const file = from === undefined ? undefined : resolve(context.cwd, from);
  const ofBatch = ({ row }: Capture): boolean => row !== undefined;
  const passes: readonly ((capture: Capture) => boolean)[] =
    from === undefined
      ? [(capture) => !ofBatch(capture), ofBatch]
      : from === 'serve'
        ? [(capture) => !ofBatch(capture)]
        : from === 'infer'
          ? [ofBatch]
          : [({ row }) => row?.file === from || row?.file === file];
  for (const wanted of passes) yield* listAnswers(root, { unreviewed, wanted });
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
  if (options.replace && verdicts.length === 0)
    wrong('--replace', 'there is nothing to replace a judgement by.', 'Give it with --approve, --edit or --reject.');
  if (options.from !== undefined && options.answer !== undefined)
    wrong('--from', 'an answer is named.', 'Leave out one of --from and --answer.');
  if (options.list && (options.answer !== undefined || options.feedback !== undefined))
    wrong('--list', 'it only lists.', 'Give it alone, or with --all and --json.');
  if (issues.length > 0) throw issuesError('the command', issues);
}

async function decisionOf(
  options: ReviewOptions,
  { answer, context }: { readonly answer: string; readonly context: CliContext },
): Promise<Decision | undefined> {
  const replace = options.replace === true;
  if (options.approve) return { answer, verdict: 'approve', replace };
  if (options.reject !== undefined) return { answer, verdict: 'reject', reason: options.reject, replace };
  if (options.edit === undefined) return undefined;
  const text =
    options.edit === '-'
      ? await readAll(context.stdin)
      : await readGivenFile(options.edit, { flag: '--edit', cwd: context.cwd });
  return { answer, verdict: 'edit', text, replace, ...(options.reason !== undefined && { reason: options.reason }) };
}

function show(answer: ReviewedAnswer, options: ReviewOptions, context: CliContext): void {
  context.out(options.json ? `${JSON.stringify(summary(answer))}\n` : formatAnswer(answer, context));
}

async function list(store: Store, options: ReviewOptions, context: CliContext): Promise<void> {
  const answers: ReviewedAnswer[] = [];
  const request = { unreviewed: options.all !== true, from: options.from, context };
  for await (const answer of queue(store.root, request)) answers.push(answer);
  if (options.json) {
    context.out(`${JSON.stringify(answers.map(summary), null, 2)}\n`);
    return;
  }
  if (answers.length === 0) {
    const from = options.from === undefined ? '' : ` from ${options.from}`;
    context.err(`no captured answer${from} ${options.all ? 'stands' : 'waits for review'} in ${store.root}\n`);
    return;
  }
  const columns = ['answer', 'given', 'from', 'model', 'claims', 'judged', 'text'].map((title) => ({ title }));
  const rows = answers.map(({ capture, claims, judged, problem }) => [
    capture.id,
    shortTime(capture.at),
    originOf(capture, context),
    capture.model,
    problem === null ? countClaims(claims) : problem.code,
    judged?.judgement.verdict ?? '',
    shorten(printable(capture.answer)),
  ]);
  context.out(formatTable(columns, rows));
}

function summary({ capture, claims, judged, problem }: ReviewedAnswer): unknown {
  const { id, at, deployment, model, row = null, request, answer } = capture;
  const judgement = judged?.judgement ?? null;
  const judgedAt = judged?.at ?? null;
  return {
    ...{ id, at, deployment, model, row, request, answer, claims, judgement, judgedAt },
    problem: problem?.message ?? null,
  };
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
