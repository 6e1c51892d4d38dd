import type { Metric } from '../schema/report.ts';

/** How a metric is shown, and which way it is better. */
export interface MetricStyle {
  readonly label: string;
  readonly unit: 'share' | 'number';
  readonly better: 'more' | 'less' | 'neither';
  readonly explanation: string;
}

const styles: Readonly<Record<string, MetricStyle>> = {
  grounded: {
    label: 'Grounded answers',
    unit: 'share',
    better: 'more',
    explanation:
      'Share that states close, change and direction, makes at least three claims, and has every one supported.',
  },
  exactMatch: {
    label: 'Exact match',
    unit: 'share',
    better: 'more',
    explanation: 'Share equal to the reference, letter for letter.',
  },
  contradicted: {
    label: 'Contradicted per answer',
    unit: 'number',
    better: 'less',
    explanation: 'Mean count of claims where it is clear which fact is meant, and the fact says otherwise.',
  },
  notFound: {
    label: 'Not found per answer',
    unit: 'number',
    better: 'less',
    explanation: 'Mean count of claims the facts say nothing about.',
  },
  supported: {
    label: 'Supported per answer',
    unit: 'number',
    better: 'more',
    explanation: 'Mean count of claims that a fact states, or that follow from the facts.',
  },
  claims: {
    label: 'Claims per answer',
    unit: 'number',
    better: 'neither',
    explanation: 'Numbers, percentages, dates, names and direction words: everything that can be checked.',
  },
  heldoutLoss: {
    label: 'Held-out loss',
    unit: 'number',
    better: 'less',
    explanation: 'Mean negative log-likelihood of a learned token, in nats.',
  },
  perplexity: {
    label: 'Perplexity',
    unit: 'number',
    better: 'less',
    explanation: 'exp(held-out loss): as if so many tokens were equally likely at each place.',
  },
  answerTokens: {
    label: 'Tokens per answer',
    unit: 'number',
    better: 'neither',
    explanation: 'Mean length of the answers.',
  },
};

/** Metrics of a report in the order they are read: those known, most telling first, then the others as they come. */
export function metricOrder(names: Iterable<string>): string[] {
  const known = Object.keys(styles);
  const rank = (name: string): number => (known.includes(name) ? known.indexOf(name) : known.length);
  return [...new Set(names)].sort((a, b) => rank(a) - rank(b));
}

/** Undefined for a metric that only its scorer knows. */
export function knownUnit(name: string): MetricStyle['unit'] | undefined {
  return styles[name]?.unit;
}

export function metricStyle(name: string): MetricStyle {
  return styles[name] ?? { label: name, unit: 'number', better: 'neither', explanation: '' };
}

export function formatMetric(name: string, value: number): string {
  if (metricStyle(name).unit === 'share') return `${(value * 100).toFixed(value > 0 && value < 1 ? 1 : 0)} %`;
  const size = Math.abs(value);
  if (size > 0 && size < 0.1) return value.toPrecision(2);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

export function formatInterval(name: string, metric: Metric): string {
  if (metric.interval === 'none') return '';
  const share = metricStyle(name).unit === 'share';
  const end = (value: number): string => (share ? (value * 100).toFixed(0) : formatMetric(name, value));
  return `${end(metric.low)}–${end(metric.high)}`;
}

/** Whether tuned is clearly better or worse than base: the intervals do not overlap. Without intervals nothing is clear. */
export function clearChange(name: string, base: Metric, tuned: Metric): 'better' | 'worse' | 'unclear' {
  const { better } = metricStyle(name);
  if (base.interval === 'none' || tuned.interval === 'none') return 'unclear';
  const apart = tuned.low > base.high ? 'more' : tuned.high < base.low ? 'less' : undefined;
  if (better === 'neither' || apart === undefined) return 'unclear';
  return apart === better ? 'better' : 'worse';
}
