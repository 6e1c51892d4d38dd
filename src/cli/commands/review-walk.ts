import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MartletError } from '../../core/error.ts';
import { stoppedError, tellsOfStop } from '../../core/stopped.ts';
import type { ReviewedAnswer } from '../../pipeline.ts';
import type { Judgement } from '../../schema/audit.ts';
import type { CliContext } from '../context.ts';
import { countClaims, formatAnswer } from './review-print.ts';

/** What the reviewer is asked. Each fails with `stopped` when they press Ctrl-C. */
export interface Prompter {
  choose(message: string): Promise<Judgement['verdict'] | 'skip' | 'quit'>;
  /** One line or more, with what to begin from; undefined when they changed their mind. */
  ask(message: string, initial: string): Promise<string | undefined>;
  confirm(message: string): Promise<boolean>;
}

export interface Decision {
  readonly answer: string;
  readonly verdict: Judgement['verdict'];
  readonly text?: string;
  readonly reason?: string;
  /** Whether it takes the place of an earlier judgement. */
  readonly replace?: boolean;
}

export interface WalkedAnswers {
  readonly counts: Readonly<Record<Judgement['verdict'] | 'skip', number>>;
  /** Whether the reviewer broke it off, rather than come to an end or say that it is enough. */
  readonly isStopped: boolean;
}

interface AnswerWalk {
  readonly answers: AsyncIterable<ReviewedAnswer>;
  readonly prompter: Prompter;
  readonly record: (decision: Decision) => Promise<unknown>;
  readonly context: Pick<CliContext, 'colour' | 'cwd' | 'err' | 'out' | 'signal'>;
}

/** Shows answers one after the other and records what is decided, at once. Ends when the reviewer does. */
export async function walkAnswers(walk: AnswerWalk): Promise<WalkedAnswers> {
  const { answers, context } = walk;
  const counts = { approve: 0, edit: 0, reject: 0, skip: 0 };
  try {
    for await (const answer of answers) {
      const { id } = answer.capture;
      if (answer.problem !== null) {
        context.err(`skipped ${id}: ${answer.problem.message}. ${answer.problem.hint ?? ''}\n`);
        continue;
      }
      context.out(`\n${formatAnswer(answer, context)}`);
      const done = await settle(answer, walk);
      if (done === 'quit') break;
      counts[done]++;
    }
  } catch (error) {
    const pressed = MartletError.is(error) && error.code === 'stopped';
    if (!pressed && !tellsOfStop(error, context.signal)) throw error;
    return { counts, isStopped: true };
  }
  return { counts, isStopped: false };
}

/** Asks about one answer until the reviewer knows. */
async function settle(
  answer: ReviewedAnswer,
  { prompter, record }: Pick<AnswerWalk, 'prompter' | 'record'>,
): Promise<Judgement['verdict'] | 'skip' | 'quit'> {
  for (;;) {
    const verdict = await prompter.choose(`${answer.capture.id} (${countClaims(answer.claims)})`);
    if (verdict === 'skip' || verdict === 'quit') return verdict;
    const decision = await decide(answer, { verdict, prompter });
    if (decision === undefined) continue;
    try {
      await record(decision);
    } catch (error) {
      // Somebody else was faster; what was typed here is not lost for that.
      if (!MartletError.is(error) || error.code !== 'already-judged') throw error;
      if (!(await prompter.confirm(`${error.message}. Put yours in its place?`))) return 'skip';
      await record({ ...decision, replace: true });
    }
    return decision.verdict;
  }
}

/** Asks for what the verdict needs; undefined when the reviewer changed their mind. */
async function decide(
  { capture }: ReviewedAnswer,
  { verdict, prompter }: { readonly verdict: Judgement['verdict']; readonly prompter: Prompter },
): Promise<Decision | undefined> {
  const answer = capture.id;
  if (verdict === 'approve') return { answer, verdict };
  if (verdict === 'edit') {
    const text = await prompter.ask('The text as it should have been', capture.answer);
    if (text === undefined || text.trim() === '') return undefined;
    // Saved as it was: then it is good as it is.
    return text.trim() === capture.answer.trim() ? { answer, verdict: 'approve' } : { answer, verdict, text };
  }
  const reason = await prompter.ask('What is wrong with it', '');
  return reason === undefined || reason.trim() === '' ? undefined : { answer, verdict, reason };
}

/** Asks on the terminal; longer texts in the person's editor when they have named one. */
export async function terminalPrompter(context: Pick<CliContext, 'env' | 'stdin' | 'signal'>): Promise<Prompter> {
  const { confirm, isCancel, multiline, select, text } = await import('@clack/prompts');
  // Results go to standard output; a conversation does not.
  const streams = { input: context.stdin, output: process.stderr, signal: context.signal };
  const editor = context.env.VISUAL || context.env.EDITOR;
  // A prompt takes Ctrl-C as a key, and is left by it as by Esc.
  let isPressed = false;
  context.stdin.on('keypress', (_, key: { readonly ctrl?: boolean; readonly name?: string } | undefined) => {
    isPressed ||= key?.ctrl === true && key.name === 'c';
  });
  const given = <T>(value: T): Exclude<T, symbol> | undefined => {
    if (isPressed || context.signal.aborted) throw stoppedError('the review was stopped', { next: 'Begin it again.' });
    return isCancel(value) ? undefined : (value as Exclude<T, symbol>);
  };
  return {
    async choose(message) {
      const chosen = await select({
        message,
        options: [
          { value: 'approve' as const, label: 'approve', hint: 'right as it stands' },
          { value: 'edit' as const, label: 'edit', hint: editor ? `opens ${editor}` : 'here' },
          { value: 'reject' as const, label: 'reject', hint: 'with a reason' },
          { value: 'skip' as const, label: 'skip', hint: 'decide later' },
          { value: 'quit' as const, label: 'quit' },
        ],
        ...streams,
      });
      return given(chosen) ?? 'quit';
    },
    async ask(message, initial) {
      if (editor && initial !== '') return editText({ editor, text: initial, signal: context.signal });
      return given(
        initial.includes('\n')
          ? await multiline({ message: `${message} (Enter twice ends it)`, initialValue: initial, ...streams })
          : await text({ message, initialValue: initial, ...streams }),
      );
    },
    confirm: async (message) => given(await confirm({ message, initialValue: false, ...streams })) ?? false,
  };
}

/** @throws MartletError `editor-failed` */
export async function editText(request: {
  readonly editor: string;
  readonly text: string;
  readonly signal: AbortSignal;
}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'martlet-edit-'));
  try {
    const file = join(folder, 'answer.txt');
    await writeFile(file, request.text);
    // An editor's name may bring options along, such as `code --wait`, so a shell has to read it.
    const child =
      process.platform === 'win32'
        ? spawn(`${request.editor} "${file}"`, { stdio: 'inherit', shell: true, signal: request.signal })
        : spawn('/bin/sh', ['-c', `${request.editor} "$1"`, 'sh', file], { stdio: 'inherit', signal: request.signal });
    const code = await new Promise((done, failed) => child.once('error', failed).once('close', done));
    if (code !== 0)
      throw new MartletError('editor-failed', `${request.editor} ended with ${code}; nothing was recorded`);
    return await readFile(file, 'utf8');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
