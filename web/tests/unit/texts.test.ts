// @vitest-environment node
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createI18n } from "vue-i18n";
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
/** The one and the many of a count; Chinese needs no two. */
const forms = (text: string): string[] => text.split(" | ");
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
    for (const [key, text] of zh) for (const form of forms(en.get(key)!)) expect([key, holes(form)]).toEqual([key, holes(text)]);
  });
  it("leave no sentence untranslated", () => {
    for (const [key, text] of en) expect([key, /[\u4e00-\u9fff]/.test(text)]).toEqual([key, false]);
  });
  it("use no character that the message compiler reads as syntax", () => {
    for (const [key, text] of [...zh, ...[...en].flatMap(([key, text]) => forms(text).map((form) => [key, form] as const))]) expect([key, /[@|]/.test(text)]).toEqual([key, false]);
  });
  it("say one of a thing without its plural, by the number in {n}", () => {
    for (const [key, text] of en) if (text.includes(" | ")) expect([key, forms(text).length, holes(text).includes("n")]).toEqual([key, 2, true]);
    const { t } = createI18n({ legacy: false, locale: "en", messages: { en: { ...enCommon, ...enDesk } } }).global;
    expect([0, 1, 2].map((n) => t("pack.offIn", { n }))).toEqual(["off in 0 units", "off in 1 unit", "off in 2 units"]);
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
