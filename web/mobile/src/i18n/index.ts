import { makeI18n, type Texts } from "@/i18n";
import en from "./en";
import zh from "./zh-CN";

export const i18n = makeI18n(zh as unknown as Texts, en as unknown as Texts);
