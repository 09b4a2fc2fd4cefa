import { describe, expect, it } from "vitest";
import en from "../src/i18n/en";
import zh from "../src/i18n/zh-CN";
import { KINDS } from "../src/report/rules";

function paths(node: unknown, at = ""): string[] {
  // the one and the many of a count have the same figures
  const figures = (text: string): string[] => [...new Set(text.split(" | ").map((form) => (form.match(/\{\w+\}/g) ?? []).sort().join("")))];
  if (typeof node !== "object" || node === null) return figures(String(node)).map((one) => at + one);
  return Object.entries(node).flatMap(([key, value]) => paths(value, `${at}.${key}`));
}

describe("texts", () => {
  it("has every sentence with the same figures in both languages", () => {
    expect(paths(en).sort()).toEqual(paths(zh).sort());
  });
  it("leaves nothing empty and names every kind", () => {
    expect(JSON.stringify([zh, en])).not.toMatch(/:""/);
    expect(Object.keys(zh.report.kinds)).toEqual([...KINDS]);
  });
});
