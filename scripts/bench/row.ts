/** One line of the table that `npm run bench` prints. */
export interface Row {
  what: string;
  value: string;
  target?: string;
}
