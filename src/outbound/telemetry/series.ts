/**
 * Series under two names each, in bounded number. Names that are not proven real never become a series of their own:
 * they are counted under their names when those exist already, else under `other`.
 */

export const OTHER = 'other';
/** An absent label and an empty one are the same to Prometheus: operations of no server, tools of no named client. */
export const NOWHERE = '';
export const MAX_LABEL = 128;

export class Grid<Series> {
  readonly rows = new Map<string, Map<string, Series>>();
  #size = 0;
  readonly #maxRows: number;
  readonly #maxSize: number;

  /** Beyond either bound names fold into `other`, so the true bound is `maxSize + maxRows + 1`. */
  constructor(maxRows: number, maxSize: number) {
    this.#maxRows = maxRows;
    this.#maxSize = maxSize;
  }

  at(row: string, column: string, isRowProven: boolean, isColumnProven: boolean, create: () => Series): Series {
    return this.rows.get(row)?.get(column) ?? this.#place(row, column, isRowProven, isColumnProven, create);
  }

  #place(row: string, column: string, isRowProven: boolean, isColumnProven: boolean, create: () => Series): Series {
    const tidyRow = tidy(row);
    const isRowFree = this.rows.has(tidyRow) || (isRowProven && this.rows.size < this.#maxRows);
    const rowName = isRowFree ? tidyRow : OTHER;
    let columns = this.rows.get(rowName);
    if (columns === undefined) {
      columns = new Map();
      this.rows.set(rowName, columns);
    }
    const tidyColumn = tidy(column);
    const isColumnFree = columns.has(tidyColumn) || (isColumnProven && this.#size < this.#maxSize);
    const columnName = isColumnFree ? tidyColumn : OTHER;
    let series = columns.get(columnName);
    if (series === undefined) {
      series = create();
      columns.set(columnName, series);
      this.#size += 1;
    }
    return series;
  }
}

/** A label is a name, not a text: printable ASCII without spaces or quotes, bounded. */
export function tidy(name: string): string {
  return name.slice(0, MAX_LABEL).replace(/[^\w.:/@+~-]/g, '_');
}
