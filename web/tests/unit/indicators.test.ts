import { describe, expect, it } from "vitest";
import { percent } from "@/lib/counts";
import { asked, presetOf, sinceOf } from "@/screens/indicators/span";
import { took, valueOf } from "@/screens/indicators/value";

const NOON = Date.parse("2026-11-30T12:00:00+08:00");
const figure = { name: "n", title: "t", formula: "f", numerator: 1, denominator: 2, scene: null };

describe("the period of the figures", () => {
  it("takes picked days in as a whole and leaves moments as they are", () => {
    expect(asked("2026-11-01", "2026-11-30")).toEqual({ since: "2026-11-01T00:00:00+08:00", until: "2026-12-01T00:00:00+08:00" });
    expect(asked("2026-11-30T08:15:00+08:00", "")).toEqual({ since: "2026-11-30T08:15:00+08:00", until: "" });
  });

  it("knows the periods that end now again", () => {
    expect([sinceOf(1, NOON), sinceOf(7, NOON), sinceOf(30, NOON)]).toEqual(["2026-11-30", "2026-11-24", ""]);
    for (const days of [1, 7, 30] as const) expect(presetOf(sinceOf(days, NOON), "", NOON)).toBe(days);
    expect(presetOf("2026-11-30T00:00:00+08:00", "", NOON)).toBe(1);
    expect(presetOf("2026-11-30", "2026-11-30", NOON)).toBeNull();
    expect(presetOf("2026-11-02", "", NOON)).toBeNull();
  });
});

describe("a figure", () => {
  it("is a share in percent, a time in words, or nothing", () => {
    expect(valueOf({ ...figure, unit: "share", value: 0.9876 }, "zh-CN")).toEqual({ text: "98.8", unit: "%" });
    expect(valueOf({ ...figure, unit: "seconds", value: 9_360 }, "zh-CN")).toEqual({ text: "2时36分", unit: "" });
    expect(valueOf({ ...figure, unit: "seconds", value: null }, "en")).toEqual({ text: "–", unit: "" });
    expect([percent(1), percent(0), percent(null)]).toEqual(["100", "0.0", "–"]);
  });

  it("says what was late as less than nothing", () => {
    expect(took(-9_360, "en")).toBe("−2 h 36 min");
  });
});
