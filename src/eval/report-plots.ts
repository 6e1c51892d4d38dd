import { escapeHtml } from '../core/html-page.ts';
import type { EvalSample, Report } from '../schema/report.ts';
import { formatMetric } from './metric-names.ts';

/** In SVG units, about one to a pixel where the page is wide. */
const plotWidth = 460;

/** Training loss by step, and the held-out loss of both models as levels. */
export function lossCurve(report: Report): string {
  const levels = (['base', 'tuned'] as const).flatMap((model) => {
    const metric = report.models[model]?.heldoutLoss;
    return metric ? [{ model, value: metric.value }] : [];
  });
  const points = report.lossCurve;
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 1];
  const values = [...points.map(([, loss]) => loss), ...levels.map((level) => level.value)];
  const ticks = niceTicks(Math.max(...values, 0.1));
  // On the right stand the labels of the levels, also where a narrow page writes them larger.
  const frame = { left: 44, right: 128, top: 12, bottom: 34, height: 240 };
  const top = ticks.at(-1) ?? 1;
  const x = (step: number): number =>
    frame.left + ((plotWidth - frame.left - frame.right) * (step - first)) / Math.max(1, last - first);
  const y = (loss: number): number => frame.top + (frame.height - frame.top - frame.bottom) * (1 - loss / top);
  const grid = ticks.map(
    (tick) =>
      `<path class="grid" d="M${frame.left} ${y(tick).toFixed(1)}H${plotWidth - frame.right}"/><text class="soft end" x="${frame.left - 8}" y="${(y(tick) + 4).toFixed(1)}">${tick}</text>`,
  );
  const labels = labelPlaces(levels.map((level) => y(level.value)));
  const lines = levels.map(
    ({ model, value }, index) =>
      `<path class="level ${model}-line" d="M${frame.left} ${y(value).toFixed(1)}H${plotWidth - frame.right}"/><text class="soft" x="${plotWidth - frame.right + 6}" y="${((labels[index] ?? 0) + 4).toFixed(1)}">${model} ${formatMetric('heldoutLoss', value)}</text>`,
  );
  const path = points
    .map(([step, loss], index) => `${index === 0 ? 'M' : 'L'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`)
    .join('');
  const dots =
    points.length > 120
      ? ''
      : points
          .map(
            ([step, loss]) =>
              `<circle class="dot" cx="${x(step).toFixed(1)}" cy="${y(loss).toFixed(1)}" r="3"><title>step ${step}: ${loss.toFixed(4)}</title></circle>`,
          )
          .join('');
  const steps = [...new Set([first, Math.round((first + last) / 2), last])].map(
    (step) => `<text class="soft middle" x="${x(step).toFixed(1)}" y="${frame.height - 12}">${step}</text>`,
  );
  const body = [
    ...grid,
    ...lines,
    `<path class="curve" d="${path}"/>`,
    dots,
    ...steps,
    `<text class="soft" x="${plotWidth - frame.right + 20}" y="${frame.height - 12}">step</text>`,
  ];
  return svg({
    width: plotWidth,
    height: frame.height,
    label: 'Training loss by step; dashed: held-out loss of base and tuned',
    body: body.join(''),
  });
}

/** How long the answers are, in tokens, as shares of each model's answers. */
export function lengthHistogram(samples: readonly EvalSample[]): string {
  const lengths = (model: string): number[] =>
    samples.filter((sample) => sample.model === model).map((sample) => sample.scores.answerTokens ?? 0);
  const [base, tuned] = [lengths('base'), lengths('tuned')];
  const longest = Math.max(...base, ...tuned, 1);
  const size = Math.max(1, niceStep(longest / 12));
  const bins = Math.floor(longest / size) + 1;
  const share = (values: readonly number[], bin: number): number =>
    values.length === 0 ? 0 : values.filter((value) => Math.floor(value / size) === bin).length / values.length;
  const frame = { left: 68, right: 12, top: 12, bottom: 34, height: 200 };
  const step = (plotWidth - frame.left - frame.right) / bins;
  const shares = Array.from({ length: bins }, (_, bin) => [share(base, bin), share(tuned, bin)] as const);
  const ticks = niceTicks(Math.max(...shares.flat(), 0.01) * 100);
  const top = ticks.at(-1) ?? 100;
  const y = (percent: number): number => frame.top + (frame.height - frame.top - frame.bottom) * (1 - percent / top);
  const grid = ticks.map(
    (tick) =>
      `<path class="grid" d="M${frame.left} ${y(tick).toFixed(1)}H${plotWidth - frame.right}"/><text class="soft end" x="${frame.left - 8}" y="${(y(tick) + 4).toFixed(1)}">${tick} %</text>`,
  );
  const bars = shares.flatMap((pair, bin) =>
    pair.map((value, model) => {
      if (value === 0) return '';
      const height = y(0) - y(value * 100);
      const title = `${model === 0 ? 'base' : 'tuned'}: ${bin * size} to ${(bin + 1) * size - 1} tokens, ${(value * 100).toFixed(0)} %`;
      return `<rect class="${model === 0 ? 'base' : 'tuned'}" x="${(frame.left + bin * step + 2 + (model * (step - 4)) / 2).toFixed(1)}" y="${y(value * 100).toFixed(1)}" width="${((step - 4) / 2 - 1).toFixed(1)}" height="${height.toFixed(1)}"><title>${title}</title></rect>`;
    }),
  );
  const labels = shares.map((_, bin) =>
    bin % Math.ceil(bins / 8) === 0
      ? `<text class="soft middle" x="${(frame.left + bin * step).toFixed(1)}" y="${frame.height - 12}">${bin * size}</text>`
      : '',
  );
  return svg({
    width: plotWidth,
    height: frame.height,
    label: 'Length of the answers in tokens',
    body: [...grid, ...bars, ...labels].join(''),
  });
}

function svg({
  width,
  height,
  label,
  body,
}: {
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly body: string;
}): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(label)}">${body}</svg>`;
}

/** Ticks from 0 to at least `most`, about four of them, at 1, 2 or 5 times a power of ten. */
function niceTicks(most: number): number[] {
  const step = niceStep(most / 4);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough - 1e-9) ?? 10) * power;
}

/** Moves labels apart that would overlap: each at least 14 units from the one above. */
function labelPlaces(places: readonly number[]): number[] {
  const order = places.map((_, index) => index).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  const moved = [...places];
  for (const [rank, index] of order.entries()) {
    const above = order[rank - 1];
    if (above !== undefined) moved[index] = Math.max(moved[index] ?? 0, (moved[above] ?? 0) + 14);
  }
  return moved;
}
