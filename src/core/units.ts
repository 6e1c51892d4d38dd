/** 1536 -> `1.50 KiB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]}`;
}

/** The number of GiB to write for so many bytes: rounded up to three digits, so that it is enough. */
export function gibAbove(bytes: number): number {
  const gib = bytes / 2 ** 30;
  const unit = 10 ** (Math.floor(Math.log10(Math.max(gib, Number.MIN_VALUE))) - 2);
  const rounded = Number(gib.toPrecision(3));
  return rounded >= gib ? rounded : Number((rounded + unit).toPrecision(3));
}

/** 83_000 -> `1 min 23 s` */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  // Rounded first, so that no minute has 60 seconds.
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 1234567 -> `1,234,567` */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** 1, 'step' -> `1 step`; 1234, 'step' -> `1,234 steps` */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** 0.01 -> `1 %` */
export const formatPercent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;

/** The share to write for so much: rounded up, so that it is enough. */
export const shareAbove = (share: number): number => Math.ceil(share * 1e4) / 1e4;
