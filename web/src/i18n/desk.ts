import { makeI18n } from "./index";
import en from "./en/desk";
import zh from "./zh-CN/desk";

export const desk = makeI18n(zh, en);
