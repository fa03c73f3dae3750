import { expect, it } from 'vitest';
import { compareRows } from '../../../api/cli/commands/verify.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';

async function* rows(count: number, change: (row: UpdateRow) => UpdateRow = (row) => row): AsyncGenerator<UpdateRow> {
  for (let update = 1; update <= count; update++) {
    await Promise.resolve();
    yield change({ update, loss: 1 / update, regularization: 0, lr: 0.1, grad_norm: 1, samples: 10, wall_time: update });
  }
}

async function* without(all: AsyncIterable<UpdateRow>, updates: readonly number[]): AsyncGenerator<UpdateRow> {
  for await (const row of all) if (!updates.includes(row.update)) yield row;
}

it('rows are the same but for when they were made', async () => {
  expect(await compareRows(rows(5), rows(5, (row) => ({ ...row, wall_time: 0 })))).toEqual({ what: 'rows', job: '5 rows', again: '5 rows', same: true });
});

it('the first row that differs or is missing on either side is named', async () => {
  const other = rows(5, (row) => (row.update >= 3 ? { ...row, loss: 0 } : row));
  expect(await compareRows(rows(5), other)).toEqual({ what: 'rows', job: '5 rows', again: '5 rows, the first difference at update 3', same: false });
  expect(await compareRows(rows(5), rows(4))).toEqual({ what: 'rows', job: '5 rows', again: '4 rows, the first difference at update 5', same: false });
});

it('rows that the job does not have are told apart from those that differ', async () => {
  expect(await compareRows(rows(4), rows(5))).toEqual({ what: 'rows', job: '4 rows, 1 from update 5 on not there', again: '5 rows', same: false });
  expect(await compareRows(without(rows(9), [3, 4]), rows(9))).toEqual({ what: 'rows', job: '7 rows, 2 from update 3 on not there', again: '9 rows', same: false });
  expect(await compareRows(rows(5), without(rows(5), [2]))).toEqual({ what: 'rows', job: '5 rows', again: '4 rows, the first difference at update 2', same: false });
});
