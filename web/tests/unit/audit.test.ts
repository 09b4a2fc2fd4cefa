import { describe, expect, it } from "vitest";
import { desk } from "@/i18n/desk";
import { restOf } from "@/screens/admin/audit";

const said = (lang: "en" | "zh-CN", data: Record<string, unknown>): string => {
  const { t, te, locale } = desk.global;
  locale.value = lang;
  return restOf(data, (key) => (te(key) ? t(key) : null));
};

describe("the security log", () => {
  it("says a language, a yes and a kind in words", () => {
    expect(said("en", { user: 3, lang: "en", machine: false })).toBe("language English · machine account no");
    expect(said("zh-CN", { lang: "en", group: "factor" })).toBe("语言 英文 · 类别 验证方式与密码");
    expect(said("zh-CN", { lang: "zh" })).toBe("语言 中文");
  });
  it("does not repeat what the server says in words", () => {
    expect(said("zh-CN", { user: 3, kinds: ["totp"], template: "password_changed", status: "sent", channel: "app", delivery: "01a2" })).toBe("");
    expect(said("zh-CN", { found: "Eicar", size: 68 })).toBe("发现 Eicar · 字节 68");
  });
  it("leaves what it has no words for as it is", () => {
    expect(said("en", { days: 30, scopes: ["a", "b"], region: "", odd: "x" })).toBe("days 30 · scopes a b · odd x");
  });
});
