// @vitest-environment node
import { describe, expect, it } from "vitest";
import { ago, clockTime, countdown, dayStart, duration, fullTime, left, shortTime } from "@/lib/time";

const now = Date.parse("2026-11-22T10:00:00+08:00");
const at = (minutes: number): string => new Date(now + minutes * 60_000).toISOString();

describe("countdown", () => {
  it.each([
    [12, "剩 12分", "12 min left"],
    [60, "剩 1时", "1 h left"],
    [156, "剩 2时36分", "2 h 36 min left"],
    [3 * 1440 + 5 * 60 + 7, "剩 3天5时", "3 d 5 h left"],
    [-156, "超时 2时36分", "2 h 36 min late"],
    [-1440, "超时 1天", "1 d late"],
  ])("%d minutes", (minutes, zh, en) => {
    expect(countdown(at(minutes), now, "zh-CN")).toBe(zh);
    expect(countdown(at(minutes), now, "en")).toBe(en);
  });
  it("rounds what is left up and what is late down, so that it turns at the limit", () => {
    expect(countdown(new Date(now + 1_000).toISOString(), now, "zh-CN")).toBe("剩 1分");
    expect(countdown(new Date(now - 1_000).toISOString(), now, "zh-CN")).toBe("刚超时");
  });
  it("says nothing without a limit", () => expect(countdown(null, now, "zh-CN")).toBe(""));
});

describe("left", () => {
  it("is near in the last twelve minutes and when late", () => {
    expect(left(at(12), now).near).toBe(true);
    expect(left(at(13), now).near).toBe(false);
    expect(left(at(-1), now)).toMatchObject({ late: true, near: true });
  });
});

describe("words of time", () => {
  it("says how long something took", () => {
    expect(duration(8040, "zh-CN")).toBe("2时14分");
    expect(duration(20, "zh-CN")).toBe("不足1分");
    expect(duration(0, "en")).toBe("0 min");
  });
  it("says how long ago", () => {
    expect(ago(at(-0.5), now, "zh-CN")).toBe("刚刚");
    expect(ago(at(-59), now, "zh-CN")).toBe("59分前");
    expect(ago(at(-1440), now, "en")).toBe("1 d ago");
  });
  it("writes times in the deployment's zone wherever the browser is", () => {
    expect(fullTime("2026-11-21T17:05:09Z")).toBe("2026-11-22 01:05:09");
    expect(shortTime("2026-11-21T17:05:09Z")).toBe("11-22 01:05");
    expect(clockTime("2026-11-21T17:05:09Z")).toBe("01:05:09");
    expect(dayStart(Date.parse("2026-11-21T17:05:09Z"))).toBe("2026-11-22T00:00:00+08:00");
  });
});
