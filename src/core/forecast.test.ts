import { expect, test } from 'vitest';
import { forecastDiffers, totalOf } from './forecast.ts';

const names = { train: 'rows to train on', heldout: 'rows held out' };
const forecast = { 'a.jsonl': { train: 3, heldout: 1 }, 'b.jsonl': { train: 1200, heldout: 0 } };
const found = { 'a.jsonl': { train: 3, heldout: 1 }, 'c.jsonl': { train: 1, heldout: 1 } };

test('what differs is told by source, also of one that only one side knows', () => {
  const error = forecastDiffers({ made: 'dataset x@2', names, forecast, found, otherCode: undefined });
  expect(error.code).toBe('forecast-differs');
  expect(error.message.split('\n').slice(1)).toEqual([
    '  b.jsonl: 0 rows to train on, where 1,200 were counted',
    '  c.jsonl: 1 rows to train on, where 0 were counted',
    '  c.jsonl: 1 rows held out, where 0 were counted',
  ]);
  expect(error.hint).toContain('report it');
  expect(totalOf(forecast, 'train')).toBe(1203);
});

test('what another Martlet made is no fault to report', () => {
  const error = forecastDiffers({ made: 'dataset x@2', names, forecast, found, otherCode: 'martlet 0.0.9' });
  expect(error.hint).toMatch(/^It was made by martlet 0\.0\.9, .*--set name=/);
});
