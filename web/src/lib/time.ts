/** Time in words. Pure: the caller gives the deployment's now (milliseconds). */

export interface Left {
  late: boolean;
  days: number;
  hours: number;
  minutes: number;
  /** Less than a fifth of an hour left, or late: show in the warning colour. */
  near: boolean;
}

const MINUTE = 60_000;
const NEAR = 12 * MINUTE;

/** Time to (or past) a limit. Minutes left are rounded up, so "剩 1分" never shows for a limit that has passed. */
export function left(due: string, now: number): Left {
  const ms = Date.parse(due) - now;
  const late = ms < 0;
  const total = late ? Math.floor(-ms / MINUTE) : Math.ceil(ms / MINUTE);
  return {
    late,
    near: late || ms <= NEAR,
    days: Math.floor(total / 1440),
    hours: Math.floor((total % 1440) / 60),
    minutes: total % 60,
  };
}

const zh = (lang: string): boolean => lang.startsWith("zh");

/** "2天3时", "2时36分", "12分"; "2 d 3 h", "2 h 36 min", "12 min". At most two units: more is noise. */
export function span(days: number, hours: number, minutes: number, lang: string): string {
  const units: [number, string, string][] = [
    [days, "天", " d"],
    [hours, "时", " h"],
    [minutes, "分", " min"],
  ];
  const first = units.findIndex(([value]) => value > 0);
  const picked = first < 0 ? [units[2]!] : units.slice(first, first + 2).filter(([value], i) => i === 0 || value > 0);
  return picked.map(([value, cn, en]) => `${value}${zh(lang) ? cn : en}`).join(zh(lang) ? "" : " ");
}

/** "剩 12分" or "超时 2时36分". */
export function countdown(due: string | null | undefined, now: number, lang: string): string {
  if (!due) return "";
  const l = left(due, now);
  if (l.late && l.days + l.hours + l.minutes === 0) return zh(lang) ? "刚超时" : "just late";
  const words = span(l.days, l.hours, l.minutes, lang);
  if (zh(lang)) return `${l.late ? "超时" : "剩"} ${words}`;
  return l.late ? `${words} late` : `${words} left`;
}

/** A duration in seconds as words: "1时5分". */
export function duration(seconds: number, lang: string): string {
  const total = Math.round(seconds / 60);
  if (seconds > 0 && total === 0) return zh(lang) ? "不足1分" : "< 1 min";
  return span(Math.floor(total / 1440), Math.floor((total % 1440) / 60), total % 60, lang);
}

/** "刚刚", "5分前", "2时前", "3天前". */
export function ago(at: string, now: number, lang: string): string {
  const minutes = Math.floor((now - Date.parse(at)) / MINUTE);
  if (minutes < 1) return zh(lang) ? "刚刚" : "just now";
  const [value, cn, en] =
    minutes < 60 ? [minutes, "分", "min"] : minutes < 1440 ? [Math.floor(minutes / 60), "时", "h"] : [Math.floor(minutes / 1440), "天", "d"];
  return zh(lang) ? `${value}${cn}前` : `${value} ${en} ago`;
}

const ZONE = "Asia/Shanghai";
const formatter = new Intl.DateTimeFormat("sv-SE", {
  timeZone: ZONE, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
}); // prettier-ignore

/** "2026-11-22 09:14:03" in the deployment's zone. */
export const fullTime = (at: string | number): string => formatter.format(new Date(at));

/** "11-22 09:14". */
export const shortTime = (at: string): string => fullTime(at).slice(5, 16);

/** "09:14:03". */
export const clockTime = (at: string): string => fullTime(at).slice(11);

/** 00:00 of the day of `now`, as RFC 3339 in the deployment's zone. */
export function dayStart(now: number): string {
  return `${fullTime(now).slice(0, 10)}T00:00:00+08:00`;
}
