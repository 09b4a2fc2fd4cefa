import type { AuditRow } from "@/api/access";

/** What stands in a column of its own, or is said in words by the server already. */
const SAID = ["method", "reason", "kind", "user", "role", "purpose", "kinds", "template", "status", "channel", "delivery"];

/** All else that a fact of the security log holds, in words where we have them. */
export function restOf(data: AuditRow["data"], word: (key: string) => string | null): string {
  const value = (key: string, one: unknown): string => word(`audit.values.${key}.${String(one)}`) ?? (key === "group" ? word(`audit.groups.${String(one)}`) : null) ?? String(one);
  return Object.entries(data)
    .filter(([key, one]) => !SAID.includes(key) && one !== null && one !== "")
    .map(([key, one]) => `${word(`audit.data.${key}`) ?? key} ${Array.isArray(one) ? one.join(" ") : value(key, one)}`)
    .join(" · ");
}
