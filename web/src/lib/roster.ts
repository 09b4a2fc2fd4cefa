/** A week of shifts that two people change at once. Pure. */
export interface Line {
  staff: number | null;
  code: string;
  name: string;
  role: string;
  from: string;
  to: string;
}

const said = (line: Line): string => [line.code, line.role, line.from, line.to].join(" ");
const without = (lines: readonly Line[], others: readonly Line[]): Line[] => {
  const known = new Set(others.map(said));
  return lines.filter((line) => !known.has(said(line)));
};

/** What somebody else did to the week since: shifts that came, and that went. A shift that was changed did both. */
export const between = (base: readonly Line[], now: readonly Line[]): { came: Line[]; went: Line[] } => ({ came: without(now, base), went: without(base, now) });

/** Mine with what they did. A shift that both changed stands there twice: who looks at it decides. */
export function together(mine: readonly Line[], base: readonly Line[], now: readonly Line[]): Line[] {
  const { came, went } = between(base, now);
  return [...without(mine, went), ...without(came, mine)].sort((a, b) => a.from.localeCompare(b.from));
}
