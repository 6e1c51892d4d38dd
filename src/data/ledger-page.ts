import { escapeHtml, htmlPage } from '../core/html-page.ts';
import { formatCount } from '../core/units.ts';
import type { Dataset, StepAccount } from '../schema/dataset.ts';
import type { ShardsAccount } from '../store/shards/shard-story.ts';
import { stepLabels } from './ledger.ts';

/** The ledger of a dataset as one HTML page that needs nothing else: no scripts, no network. What rows say is escaped. */
export function ledgerPage({
  address,
  dataset,
  shards,
}: {
  readonly address: string;
  readonly dataset: Dataset;
  /** The newest shards made of it, if any. */
  readonly shards?: { readonly address: string; readonly account: ShardsAccount } | undefined;
}): string {
  const title = `Ledger of ${address}`;
  const labels = stepLabels(dataset.steps);
  const kept = dataset.fates.train + dataset.fates.heldout;
  const body = `<main>
<header>
<h1>${escapeHtml(title)}</h1>
<p class="soft">${formatCount(dataset.rowsIn)} rows in, ${formatCount(kept)} kept: ${formatCount(dataset.fates.train)} to train on, ${formatCount(dataset.fates.heldout)} held out</p>
</header>
<section aria-label="Fates"><h2>What became of the rows</h2>${fateTable(dataset)}</section>
<section aria-label="Steps"><h2>Step by step</h2><ol>${dataset.steps.map((step, index) => stepItem({ ...step, step: labels[index] ?? step.step }, dataset.rowsIn)).join('')}</ol></section>
${shards ? shardsSection(shards.address, shards.account) : ''}
<section aria-label="Sources"><h2>Sources</h2><ul class="sources">${Object.entries(dataset.formats)
    .map(
      ([source, format]) =>
        `<li><code>${escapeHtml(source)}</code> <span class="soft">read as ${escapeHtml(format)}</span></li>`,
    )
    .join('')}</ul></section>
<footer class="soft">Rows in are the sum of rows by fate, at every step. Each row's own story: <code>martlet data why &lt;source:line&gt;</code></footer>
</main>`;
  return htmlPage({ title, style, body });
}

function fateTable({ fates, rowsIn }: Dataset): string {
  const rows = Object.entries(fates).filter(([, count]) => count > 0);
  return `<table><thead><tr><th scope="col">fate</th><th scope="col" class="n">rows</th><th scope="col" class="n">share</th><th scope="col"><span class="hidden">bar</span></th></tr></thead><tbody>${rows
    .map(
      ([fate, count]) =>
        `<tr><th scope="row">${fate}</th><td class="n">${formatCount(count)}</td><td class="n">${percent(count, rowsIn)}</td><td class="wide"><span class="bar ${fate === 'train' || fate === 'heldout' ? 'kept' : 'lost'}" style="width:${width(count, rowsIn)}%"></span></td></tr>`,
    )
    .join('')}</tbody></table>`;
}

function shardsSection(...[address, { counts, ended }]: [string, ShardsAccount]): string {
  const items = ended
    .map(({ fate, rows, place, reason }) => endedItem(rows, escapeHtml(fate), [place, reason]))
    .join('');
  return `<section aria-label="Tokens"><h2>As tokens</h2><div class="step"><p>shards ${escapeHtml(`${address}: ${counts}`)}</p>${items ? `<ul class="ended">${items}</ul>` : ''}</div></section>`;
}

/** Rows that ended for one reason, and the first of them: where it stands and why. */
const endedItem = (...[rows, what, lines]: [number, string, readonly string[]]): string =>
  `<li><b>${formatCount(rows)}</b> ${what} <div class="soft">${lines.map(escapeHtml).join('<br>')}</div></li>`;

function stepItem(step: StepAccount, rowsIn: number): string {
  const ended = step.ended
    .map(({ fate, code, rows, example: { source, line, reason } }) =>
      endedItem(rows, fate === code ? fate : `${fate}: ${escapeHtml(code)}`, [`${source}:${line}`, reason]),
    )
    .join('');
  const notes = [
    ...(step.changed > 0 ? [`${formatCount(step.changed)} changed or remarked on`] : []),
    ...(step.truncated > 0 ? [`${formatCount(step.truncated)} cut to a limit`] : []),
  ].join(', ');
  return `<li class="step"><div class="head"><h3>${escapeHtml(step.step)}</h3><span class="n">${formatCount(step.rowsIn)} in · ${formatCount(step.rowsOut)} out</span></div>
<div class="funnel" role="img" aria-label="${percent(step.rowsOut, rowsIn)} of all rows go on"><span class="bar kept" style="width:${width(step.rowsOut, rowsIn)}%"></span><span class="bar lost" style="width:${width(step.rowsIn - step.rowsOut, rowsIn)}%"></span></div>
${(step.notes ?? []).map((note) => `<p>${escapeHtml(note)}</p>`).join('')}${notes ? `<p>${notes}</p>` : ''}${step.example ? `<p class="soft">${escapeHtml(step.example)}</p>` : ''}${ended ? `<ul class="ended">${ended}</ul>` : ''}</li>`;
}

const width = (part: number, whole: number): string => (whole === 0 ? '0' : ((100 * part) / whole).toFixed(2));
const percent = (part: number, whole: number): string =>
  whole === 0 ? '0 %' : `${Number(((100 * part) / whole).toPrecision(3))} %`;

const style = `
:root { --kept:#3d9484; --lost:#c9775f }
@media (prefers-color-scheme: dark) { :root { --kept:#1f7d6b; --lost:#a4543d } }
main { max-width:880px; margin:0 auto; padding:36px 20px 64px } header { border-bottom:1px solid var(--line); padding-bottom:16px }
h1 { font-size:25px; margin:0 0 4px; overflow-wrap:anywhere } h2 { font-size:18px; margin:28px 0 12px } h3 { font-size:16px; margin:0 } p { margin:4px 0 0; overflow-wrap:anywhere }
.soft { color:var(--soft); font-size:14px; overflow-wrap:anywhere } .n { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap }
table { width:100%; border-collapse:collapse } th { text-align:left; font-weight:500 } thead th { color:var(--soft); font-size:14px } th.n { text-align:right } td,th { padding:5px 12px 5px 0 } .wide { width:50% }
.bar { display:inline-block; height:10px; min-width:1px; vertical-align:middle } .bar.kept { background:var(--kept) } .bar.lost { background:repeating-linear-gradient(45deg,var(--lost) 0 4px,transparent 4px 6px) }
ol,ul { list-style:none; margin:0; padding:0 } .step { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:14px 18px; margin-bottom:10px }
.head { display:flex; justify-content:space-between; gap:16px; flex-wrap:wrap } .funnel { display:flex; margin:8px 0 4px; background:var(--line); border-radius:3px; overflow:hidden }
.ended li { margin-top:8px } .sources li { margin-bottom:4px } code { font-family:ui-monospace,monospace; font-size:14px; overflow-wrap:anywhere } footer { margin-top:32px }
.hidden { position:absolute; width:1px; height:1px; overflow:hidden; clip-path:inset(50%) }
`.trim();
