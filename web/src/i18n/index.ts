/** vue-i18n for both builds. Chinese is the default and the fallback; the choice is kept on the server (POST /api/v1/me) and locally. */
import { createI18n } from "vue-i18n";
import { speak } from "@/api/client";
import enCommon from "./en/common";
import zhCommon from "./zh-CN/common";

export type Lang = "zh-CN" | "en";
export type Texts = { [key: string]: string | Texts };

const KEPT = "gridloop.lang";

export function storedLang(): Lang {
  return localStorage.getItem(KEPT) === "en" ? "en" : "zh-CN";
}

/** The server says `zh`, `zh-hans`, `zh-CN` or `en`. */
export const asLang = (word: string | null | undefined): Lang => (word?.toLowerCase().startsWith("en") ? "en" : "zh-CN");

export function makeI18n(zh: Texts, en: Texts) {
  const lang = storedLang();
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

/** Sets document language and the language of server sentences; the caller sets the i18n locale. */
export function apply(lang: Lang): void {
  localStorage.setItem(KEPT, lang);
  document.documentElement.lang = lang;
  speak(lang);
}
