import { describe, expect, it } from "vitest";
import { fullTime } from "@/lib/time";
import { local, moment, tomorrow, wrong } from "@/lib/absence";

const NOW = Date.parse("2026-11-29T00:30:00Z");

describe("times away", () => {
  it("begin now and end tomorrow, by the clock of the place, wherever the reader's machine stands", () => {
    expect(local(NOW)).toBe("2026-11-29T08:30");
    expect(moment(local(NOW))).toBe(NOW);
    expect(fullTime(moment("2026-12-01T18:05"))).toBe("2026-12-01 18:05:00");
    expect(tomorrow(NOW)).toEqual({ since: "2026-11-29T08:30", till: "2026-11-30T08:30" });
    expect(wrong("2026-11-29T08:30", "2026-11-30T08:30", NOW)).toBeNull();
  });
  it("are refused with a reason before the server is asked", () => {
    expect(wrong("", "2026-11-30T08:30", NOW)).toBe("unread");
    expect(wrong("2026-11-30T08:30", "2026-11-30T08:30", NOW)).toBe("order");
    expect(wrong("2026-11-27T08:30", "2026-11-28T08:30", NOW)).toBe("over");
    expect(wrong("2026-11-29T08:30", "2027-12-29T08:30", NOW)).toBe("long");
    expect(wrong("2028-01-01T08:30", "2028-01-02T08:30", NOW)).toBe("long");
  });
});
