// The positions of points, and the labels of an axis from zero.

interface Scale {
  /** Where a value is, from 0 at the bottom to 1. */
  at: (value: number) => number;
  ticks: number[];
}

const NICE = [1, 2, 5, 10];

/** An axis from zero that has these values, with two to six ticks. */
export function scaleFor(values: number[]): Scale {
  const most = Math.max(0, ...values);
  if (most === 0) return { at: () => 0, ticks: [0] };
  const power = 10 ** Math.floor(Math.log10(most / 3));
  const step = (NICE.find((nice) => nice * power >= most / 3) ?? 10) * power;
  const top = Math.ceil(most / step - 1e-9) * step;
  return { at: (value) => value / top, ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, index) => Number((index * step).toPrecision(6))) };
}

/** Where the runs are from left to right, as parts of 1: the oldest first. */
export const spread = (count: number): number[] => Array.from({ length: count }, (_, at) => (count === 1 ? 0.5 : at / (count - 1)));
