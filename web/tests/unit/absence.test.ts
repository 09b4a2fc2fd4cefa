import { describe, expect, it } from "vitest";
import { local, tomorrow, wrong } from "@/lib/absence";

const NOW = new Date(2026, 10, 29, 8, 30).getTime();

describe("times away", () => {
  it("begin now and end tomorrow, in the reader's own zone", () => {
    expect(local(NOW)).toBe("2026-11-29T08:30");
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
