// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Texts } from "@/i18n";
import enCommon from "@/i18n/en/common";
import enDesk from "@/i18n/en/desk";
import zhCommon from "@/i18n/zh-CN/common";
import zhDesk from "@/i18n/zh-CN/desk";

const SRC = join(__dirname, "../../src");

function flat(texts: Texts, above = ""): Map<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value === "string") all.set(above + key, value);
    else flat(value, `${above}${key}.`).forEach((v, k) => all.set(k, v));
  }
  return all;
}

const zh = flat({ ...zhCommon, ...zhDesk });
const en = flat({ ...enCommon, ...enDesk });
const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!).sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : /\.(vue|ts)$/.test(entry.name) ? [path] : [];
  });
}

describe("the two languages", () => {
  it("have the same keys", () => expect([...en.keys()].sort()).toEqual([...zh.keys()].sort()));
  it("fill the same holes", () => {
    for (const [key, text] of zh) expect([key, holes(en.get(key)!)]).toEqual([key, holes(text)]);
  });
  it("leave no sentence untranslated", () => {
    for (const [key, text] of en) expect([key, /[\u4e00-\u9fff]/.test(text)]).toEqual([key, false]);
  });
  it("use no character that the message compiler reads as syntax", () => {
    for (const texts of [zh, en]) for (const [key, text] of texts) expect([key, /[@|]/.test(text)]).toEqual([key, false]);
  });
});

describe("screens", () => {
  const files = sources(SRC).filter((path) => !path.includes("/i18n/"));
  it("name only texts that exist", () => {
    for (const path of files)
      for (const [, key] of readFileSync(path, "utf8").matchAll(/(?<![\w.])\$?t\("([\w.]+)"/g)) expect([path, key, zh.has(key!)]).toEqual([path, key, true]);
  });
  it("carry no Chinese sentence of their own in a template", () => {
    for (const path of files.filter((p) => p.endsWith(".vue"))) {
      const template = readFileSync(path, "utf8").split("</script>").pop()!.split("<style")[0]!;
      expect([path, template.replaceAll("中文", "").match(/[\u4e00-\u9fff]+/g)]).toEqual([path, null]);
    }
  });
  it("take colours from the tokens only", () => {
    for (const path of files) expect([path, readFileSync(path, "utf8").match(/#[0-9a-f]{3,8}\b|rgba?\(/gi)]).toEqual([path, null]);
  });
});
