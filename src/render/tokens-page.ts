import { escapeHtml, htmlPage } from '../core/html-page.ts';
import type { EncodedSample } from './encode-sample.ts';
import type { Span, SpanSource } from './template.ts';
import { tokensScript, tokensStyle } from './tokens-page-parts.ts';

/** A document to show, with where it came from. */
export interface PageRow {
  readonly title: string;
  readonly subtitle: string;
  readonly value: EncodedSample;
}

/**
 * Rows as one HTML page that needs nothing else: each token with its id, text, source and weight, on hover, on focus and by
 * the arrow keys. What rows say is escaped, and the page forbids itself everything but its own style and script.
 */
export function tokensPage(rows: readonly PageRow[], tokenOf: (id: number) => string | undefined): string {
  const title = rows.length === 1 ? `Tokens of ${rows[0]?.title ?? ''}` : `Tokens of ${rows.length} documents`;
  const body = `<main>
<header>
<h1>${escapeHtml(title)}</h1>
<ul class="legend" aria-label="How tokens are shown">
<li><span class="t learned">learned</span></li>
<li><span class="t learned more">learned more strongly</span></li>
<li><span class="t learned less">learned less</span></li>
<li><span class="t">read, not learned</span></li>
<li><span class="t template">written by the template</span></li>
</ul>
<p class="soft">Point at a token, or move with the arrow keys.</p>
</header>
${rows.map((row, index) => section(row, index, tokenOf)).join('\n')}
</main>
<aside id="detail" role="status" aria-live="polite" hidden></aside>`;
  return htmlPage({ title, style: tokensStyle, body, script: tokensScript });
}

function section(
  { title, subtitle, value }: PageRow,
  ...[index, tokenOf]: [number, (id: number) => string | undefined]
) {
  const { ids, learnedTokens } = value;
  const share = ids.length === 0 ? 0 : (100 * learnedTokens) / ids.length;
  const looks = value.lookalikes.length;
  const notes = [
    `${ids.length} tokens`,
    `${learnedTokens} learned (${share.toFixed(1)} %)`,
    ...(looks > 0 ? [`${looks} that spell a control token`] : []),
  ].join(' · ');
  return `<section aria-labelledby="row${index}">
<h2 id="row${index}">${escapeHtml(title)}</h2>
<p class="soft">${escapeHtml(subtitle)}</p>
<p>${escapeHtml(notes)}</p>
<div class="tokens" role="group" aria-label="Tokens of ${escapeHtml(title)}">${tokens(value, tokenOf)}</div>
</section>`;
}

function tokens(value: EncodedSample, tokenOf: (id: number) => string | undefined): string {
  const { ids, weights, offsets, origins, text, spans } = value;
  let shown = 0;
  let span = 0;
  let html = '';
  for (let i = 0; i < ids.length; i++) {
    const start = offsets[i * 2] ?? 0;
    const from = Math.max(shown, start);
    const to = Math.max(from, offsets[i * 2 + 1] ?? 0);
    shown = to;
    while (span + 1 < spans.length && (spans[span]?.end ?? 0) <= start) span++;
    const id = ids[i] ?? 0;
    const weight = weights[i] ?? 0;
    const classes = [
      't',
      origins[i] ?? 'prompt',
      ...(weight > 1 ? ['more'] : weight > 0 && weight < 1 ? ['less'] : []),
    ];
    const data = {
      i: String(i),
      id: String(id),
      token: tokenOf(id) ?? '?',
      source: sourceLabel(spans, span, Math.max(start + 1, to)),
      weight: String(Number(weight.toPrecision(4))),
    };
    const attributes = Object.entries(data)
      .map(([name, said]) => `data-${name}="${escapeHtml(said)}"`)
      .join(' ');
    // A character that takes several tokens is shown with the first; the others leave a dot each.
    const piece = to > from ? text.slice(from, to) : '·';
    const label = `token ${i}, id ${id}, ${data.source}, weight ${data.weight}`;
    html += `<span class="${classes.join(' ')}" tabindex="${i === 0 ? 0 : -1}" role="button" aria-label="${escapeHtml(`${JSON.stringify(piece)}: ${label}`)}" ${attributes}>${visible(piece)}</span>`;
    if (piece.includes('\n')) html += '<br>';
  }
  return html;
}

/** Of a token with characters of several sources, all of them. */
function sourceLabel(spans: readonly Span[], ...[first, end]: [number, number]): string {
  const labels: string[] = [];
  for (let at = first; at < spans.length && (spans[at]?.start ?? 0) < end; at++) {
    const label = labelOf(spans[at]?.source);
    if (!labels.includes(label)) labels.push(label);
  }
  return labels.join(' and ');
}

function labelOf(source: SpanSource | undefined): string {
  if (!source || source.kind === 'template') return 'template';
  const rewritten = source.offset === null ? ', rewritten' : '';
  if (source.kind === 'variable') return `variable ${source.path}${rewritten}`;
  return `message ${source.index} ${source.path.replace('#', ' (name)')}${rewritten}`;
}

function visible(text: string): string {
  return escapeHtml(
    text
      .replace(/\n/g, '↵')
      .replace(/\t/g, '→')
      .replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd'),
  );
}
