// The filter behind a search box.

/** Every word must stand in one of the columns. */
export function searchFilter(columns: string[], search: string): string {
  const words = search
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  const one = (word: string) => {
    const literal = word.replaceAll("'", "''");
    return `(${columns.map((column) => `contains(${column},'${literal}')`).join(" or ")})`;
  };
  return words.map(one).join(" and ");
}
