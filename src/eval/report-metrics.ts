import { escapeHtml } from '../core/html-page.ts';
import type { Metric, Report } from '../schema/report.ts';
import { clearChange, formatInterval, formatMetric, metricOrder, metricStyle } from './metric-names.ts';

/**
 * Base and tuned as two bars a metric, each metric on its own scale from 0, whiskers for the 95 % interval; beside them
 * what the metric means, and the numbers. Only the bars are drawn, so that text keeps its size on a narrow screen.
 */
export function metricRows(report: Report): string {
  const { base = {}, tuned = {} } = report.models;
  const names = metricOrder([...Object.keys(base), ...Object.keys(tuned)]);
  return names.map((name) => metricRow(name, base[name], tuned[name])).join('\n');
}

function metricRow(name: string, base: Metric | undefined, tuned: Metric | undefined): string {
  const { label, unit, explanation } = metricStyle(name);
  const change = base && tuned ? clearChange(name, base, tuned) : 'unclear';
  const verdict = change === 'unclear' ? '' : ` <span class="soft">clearly ${change}</span>`;
  const most = unit === 'share' ? 1 : Math.max(base?.high ?? 0, tuned?.high ?? 0, 1e-9);
  const both = [
    { model: 'base', metric: base },
    { model: 'tuned', metric: tuned },
  ];
  const bars = both.map(({ model, metric }, index) => (metric ? bar({ model, metric, most, top: index * 22 }) : ''));
  const numbers = both.map(
    ({ model, metric }) => `<div><span class="swatch ${model}"></span>${shown(name, metric)}</div>`,
  );
  const said = both.map(
    ({ model, metric }) => `${model} ${metric ? formatMetric(name, metric.value) : 'not measured'}`,
  );
  return `<div class="metric">
<div class="name"><b>${escapeHtml(label)}</b>${verdict}<p class="soft">${escapeHtml(explanation)}</p></div>
<svg viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(`${label}: ${said.join(', ')}`)}">${bars.join('')}</svg>
<div class="numbers">${numbers.join('')}</div>
</div>`;
}

function bar({ model, metric, most, top }: { model: string; metric: Metric; most: number; top: number }): string {
  // A little room at the right edge, for the stroke of a whisker that ends there.
  const x = (value: number): string => ((996 * Math.max(0, value)) / most).toFixed(1);
  const whisker =
    metric.interval === 'none'
      ? ''
      : `<path class="whisker" d="M${x(metric.low)} ${top + 9}H${x(metric.high)}M${x(metric.low)} ${top + 5}v8M${x(metric.high)} ${top + 5}v8"/>`;
  return `<rect class="${model}" x="0" y="${top}" width="${x(metric.value)}" height="18"/>${whisker}`;
}

function shown(name: string, metric: Metric | undefined): string {
  if (!metric) return '-';
  const interval = formatInterval(name, metric);
  return `${formatMetric(name, metric.value)}${interval && ` <span class="soft">${interval}</span>`}`;
}
