/** A flat list with parents as rows of a tree, in the order to show them. Pure. */

export interface Leaf {
  id: number;
  parent: number | null;
}

export interface TreeRow<T extends Leaf> {
  item: T;
  /** Ids above, the root first. */
  above: number[];
  /** Has rows below it. */
  hasBelow: boolean;
}

/** An item whose parent is not in the list (filtered out, not loaded) stands at the top. */
export function treeOf<T extends Leaf>(items: T[]): TreeRow<T>[] {
  const known = new Set(items.map((item) => item.id));
  const below = new Map<number | null, T[]>();
  for (const item of items) {
    const key = item.parent !== null && known.has(item.parent) && item.parent !== item.id ? item.parent : null;
    below.set(key, [...(below.get(key) ?? []), item]);
  }
  const rows: TreeRow<T>[] = [];
  const walk = (key: number | null, above: number[]): void => {
    for (const item of below.get(key) ?? []) {
      rows.push({ item, above, hasBelow: below.has(item.id) });
      walk(item.id, [...above, item.id]);
    }
  };
  walk(null, []);
  return rows;
}
