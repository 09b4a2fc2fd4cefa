import { afterEach, describe, expect, it, vi } from "vitest";
import { apply, choose, firstLang } from "@/i18n";

const browser = (...languages: string[]): void => void vi.spyOn(navigator, "languages", "get").mockReturnValue(languages);

afterEach(() => {
  localStorage.clear();
  vi.restoreAllMocks();
});

describe("the language a screen begins in", () => {
  it("is the first of the browser's that there is, else Chinese", () => {
    const first = [["en-GB", "zh-CN"], ["fr", "en"], ["zh-TW", "en"], ["fr"], []].map((languages) => (browser(...languages), firstLang()));
    expect(first).toEqual(["en", "en", "zh-CN", "zh-CN", "zh-CN"]);
  });
  it("is the chosen one, whatever the browser's is; one that was only shown was not chosen", () => {
    browser("en-GB");
    apply("zh-CN");
    expect(firstLang()).toBe("en");
    choose("zh-CN");
    expect(firstLang()).toBe("zh-CN");
  });
});
