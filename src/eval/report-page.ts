import { escapeHtml, htmlPage } from '../core/html-page.ts';
import { formatDuration } from '../core/units.ts';
import type { Claim, EvalSample, Report } from '../schema/report.ts';
import { clearChange, formatInterval, formatMetric, metricOrder, metricStyle } from './metric-names.ts';
import { metricRows } from './report-metrics.ts';
import { lengthHistogram, lossCurve } from './report-plots.ts';
import { reportStyle } from './report-style.ts';
import { hasFailed } from './report-terminal.ts';

/**
 * The report as one HTML page that needs nothing else: no scripts, no network, plots as inline SVG. What models wrote is
 * escaped, and the page forbids itself everything but its own style.
 */
export function reportPage({
  report,
  samples,
}: {
  readonly report: Report;
  readonly samples: readonly EvalSample[];
}): string {
  const title = `${report.run}: base against tuned`;
  const body = `<main>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="soft">${escapeHtml(subtitle(report, samples))}</p>
</header>
<section class="cards" aria-label="In short">${cards(report)}</section>
<section class="plots" aria-label="Plots">
<figure class="wide"><h2>Metrics</h2>${legend('whiskers and ranges: 95 % interval; each metric on its own scale from 0')}${metricRows(report)}</figure>
${report.lossCurve.length > 1 ? `<figure><h2>Training loss</h2><p class="legend">nats a learned token, by step; dashed: held-out loss</p>${lossCurve(report)}</figure>` : ''}
${samples.length > 0 ? `<figure><h2>Length of the answers</h2>${legend('share of answers, by length in tokens')}${lengthHistogram(samples)}</figure>` : ''}
</section>
${samples.length > 0 ? sampleSection(samples) : ''}
<footer>Intervals hold 95 %: Wilson for shares, bootstrap over rows for means. Both models answered the same rows, greedily.</footer>
</main>`;
  return htmlPage({ title, style: reportStyle, body });
}

function subtitle(report: Report, samples: readonly EvalSample[]): string {
  const rows = new Set(samples.map((sample) => sample.id)).size;
  return [
    report.checkpoint,
    ...(rows > 0 ? [`${rows} held-out rows answered by each`] : []),
    report.tasks.join(', '),
    `measured in ${formatDuration(report.seconds * 1000)}`,
  ].join(' · ');
}

/** The metrics that have a better and a worse side, at most four. */
function cards(report: Report): string {
  const { base = {}, tuned = {} } = report.models;
  return metricOrder([...Object.keys(base), ...Object.keys(tuned)])
    .filter((name) => metricStyle(name).better !== 'neither' && !['perplexity', 'supported', 'notFound'].includes(name))
    .slice(0, 4)
    .map((name) => {
      const [before, after] = [base[name], tuned[name]];
      const interval = after ? formatInterval(name, after) : '';
      const change = before && after ? clearChange(name, before, after) : 'unclear';
      const note = [interval && `95 %: ${interval}`, change !== 'unclear' && `clearly ${change}`]
        .filter(Boolean)
        .join(', ');
      return `<div class="card"><div class="label">${escapeHtml(metricStyle(name).label)}</div><div class="values"><span class="from">${before ? formatMetric(name, before.value) : '-'} →</span> ${after ? formatMetric(name, after.value) : '-'}</div><div class="note">${note || '&nbsp;'}</div></div>`;
    })
    .join('');
}

function legend(note: string): string {
  const swatch = (model: string): string => `<span><span class="swatch ${model}"></span>${model}</span>`;
  return `<p class="legend">${swatch('base')}${swatch('tuned')}<span>${note}</span></p>`;
}

function sampleSection(samples: readonly EvalSample[]): string {
  const byId = Map.groupBy(samples, (sample) => sample.id);
  const tuned = samples.filter((sample) => sample.model === 'tuned');
  const failed = tuned.filter(hasFailed).length;
  const contradicting = tuned.filter(contradicts).length;
  const choice = (id: string, label: string, checked = false): string =>
    `<label><input type="radio" name="show" id="${id}"${checked ? ' checked' : ''}> ${label}</label>`;
  // Nothing to choose from where nothing failed.
  const choices = [
    ...(failed > 0 ? [choice('only-failed', `the ${failed} where tuned failed`)] : []),
    ...(contradicting > 0 ? [choice('only-contradicted', `the ${contradicting} where tuned is contradicted`)] : []),
  ];
  return `<section aria-labelledby="answers">
<h2 id="answers">Answers</h2>
<p class="legend"><span><mark class="supported">supported</mark> by a fact</span><span><mark class="contradicted">contradicted</mark></span><span><mark class="not-found">not found</mark> in the facts</span><span>the reason shows on hover and focus</span></p>
${choices.length > 0 ? `<fieldset class="filter"><legend>Show</legend>${choice('all', `all ${byId.size} rows`, true)}${choices.join('')}</fieldset>` : ''}
${[...byId.values()].map(row).join('\n')}
</section>`;
}

function contradicts(sample: EvalSample): boolean {
  return sample.claims.some((claim) => claim.verdict === 'contradicted');
}

function row(answers: readonly EvalSample[], index: number): string {
  const order = ['base', 'tuned'];
  const sides = answers.toSorted((a, b) => order.indexOf(a.model) - order.indexOf(b.model));
  const tuned = sides.find((sample) => sample.model === 'tuned');
  const [first] = sides;
  if (!first) return '';
  const classes = ['row', tuned && hasFailed(tuned) && 'failed', tuned && contradicts(tuned) && 'has-contradiction'];
  return `<article class="${classes.filter(Boolean).join(' ')}">
<h3>${index + 1} · row ${escapeHtml(first.id.slice(0, 16))}</h3>
<div class="sides">${sides.map(side).join('')}</div>
<details><summary>Prompt and reference</summary><pre>${escapeHtml(promptText(first))}</pre><pre>${escapeHtml(first.reference)}</pre></details>
</article>`;
}

function side(sample: EvalSample): string {
  const judged = sample.scores.grounded !== undefined || sample.scores.exactMatch !== undefined;
  const failed = hasFailed(sample);
  const grounded = sample.scores.grounded !== undefined;
  const verdict = failed ? (grounded ? 'not grounded' : 'differs') : grounded ? 'grounded' : 'exact';
  const badge = judged ? `<span class="badge ${failed ? 'fail' : 'pass'}">${verdict}</span>` : '';
  const cut = sample.finishReason === 'length' ? '<span class="soft">cut at the length limit</span>' : '';
  const doubtful = sample.claims.filter((claim) => claim.verdict !== 'supported');
  const reasons = doubtful.map(
    (claim) => `<li class="${claim.verdict}"><b>${escapeHtml(claim.text)}</b> ${escapeHtml(claim.reason)}</li>`,
  );
  return `<div class="side"><h4>${escapeHtml(sample.model)} ${badge}${cut}</h4><div class="answer">${markedAnswer(sample) || '<span class="soft">(no answer)</span>'}</div>${reasons.length > 0 ? `<ul class="reasons">${reasons.join('')}</ul>` : ''}</div>`;
}

function markedAnswer({ answer, claims }: Pick<EvalSample, 'answer' | 'claims'>): string {
  let html = '';
  let at = 0;
  for (const claim of claims.toSorted((a, b) => a.start - b.start)) {
    if (claim.start < at) continue;
    html += escapeHtml(answer.slice(at, claim.start)) + mark(claim, answer.slice(claim.start, claim.end));
    at = claim.end;
  }
  return html + escapeHtml(answer.slice(at));
}

function mark(claim: Claim, text: string): string {
  const said = `${claim.verdict === 'not-found' ? 'not found' : claim.verdict}: ${claim.reason}`;
  return `<mark class="${claim.verdict}" tabindex="0" title="${escapeHtml(said)}" aria-label="${escapeHtml(`${text} (${said})`)}">${escapeHtml(text)}</mark>`;
}

function promptText(sample: EvalSample): string {
  return sample.prompt
    .map((message) => {
      if (typeof message !== 'object' || message === null || Array.isArray(message)) return '';
      const content = typeof message.content === 'string' ? message.content : JSON.stringify(message.content ?? null);
      return `${String(message.role)}: ${content}`;
    })
    .join('\n');
}
