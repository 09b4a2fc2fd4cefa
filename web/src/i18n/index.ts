/** vue-i18n for both builds. Chinese is the fallback; the choice is kept on the server (POST /api/v1/me) and locally. */
import { createI18n } from "vue-i18n";
import { speak } from "@/api/client";
import enCommon from "./en/common";
import zhCommon from "./zh-CN/common";

export type Lang = "zh-CN" | "en";
export type Texts = { [key: string]: string | Texts };

const KEPT = "gridloop.lang";

/** What somebody chose here; until then the first of the browser's languages that there is, as on the log-in page. */
export function firstLang(): Lang {
  const wanted = [localStorage.getItem(KEPT) ?? "", ...navigator.languages].map((word) => word.toLowerCase());
  return asLang(wanted.find((word) => /^(zh|en)(-|$)/.test(word)));
}

/** The server says `zh`, `zh-hans`, `zh-CN` or `en`. */
export const asLang = (word: string | null | undefined): Lang => (word?.toLowerCase().startsWith("en") ? "en" : "zh-CN");

export function makeI18n(zh: Texts, en: Texts) {
  const lang = firstLang();
  apply(lang);
  return createI18n({
    legacy: false,
    locale: lang,
    fallbackLocale: "zh-CN",
    missingWarn: import.meta.env.DEV,
    fallbackWarn: import.meta.env.DEV,
    messages: { "zh-CN": { ...zhCommon, ...zh }, en: { ...enCommon, ...en } },
  });
}

/** Somebody's choice: the next start begins with it. */
export function choose(lang: Lang): void {
  localStorage.setItem(KEPT, lang);
  apply(lang);
}

/** Sets document language and the language of server sentences; the caller sets the i18n locale. */
export function apply(lang: Lang): void {
  document.documentElement.lang = lang;
  speak(lang);
}
