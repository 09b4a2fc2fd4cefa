/** Counts as people read them: exact up to 10,000, then "10,000+"; "2,400+" where there are at least so many. */
export const MOST_COUNTED = 10_000;
const figures = new Intl.NumberFormat("en-US"); // thousands are set apart in the same way in both languages

/** Exact, thousands set apart. */
export const exact = (n: number): string => figures.format(n);

export function counted(n: number | string): string {
  const most = typeof n === "string" && n.endsWith("+");
  const value = Number(String(n).replace("+", ""));
  return most || value > MOST_COUNTED ? `${figures.format(Math.min(value, MOST_COUNTED))}+` : figures.format(value);
}

/** A share in percent, with one digit; all is "100", nothing to divide by "–". */
export const percent = (share: number | null): string => (share === null ? "–" : share === 1 ? "100" : (share * 100).toFixed(1));
