import type { TaskItem } from "@/api/cases";
import { describe, expect, it } from "vitest";
import { counts, dialable, isCheck, mainVerb, sorted, wordOf } from "../src/tasks/rules";

const at = (minutes: number): string => new Date(minutes * 60_000).toISOString();
const task = (code: string, severity: 1 | 2 | 3 | 4, due: number | null): TaskItem =>
  ({
    id: code,
    case: code,
    name: "handle",
    title: "处置",
    status: "open",
    severity,
    due_at: due === null ? null : at(due),
    verbs: [],
  }) as unknown as TaskItem;

describe("order and figures", () => {
  const list = [task("d", 4, 1), task("c", 1, 90), task("b", 1, 10), task("a", 1, 10), task("e", 2, null)];
  it("puts the severe first, then what is due first; ties by code", () => {
    expect(sorted(list).map((one) => one.case)).toEqual(["a", "b", "c", "e", "d"]);
  });
  it("counts to do, overdue and red", () => {
    expect(counts(list, 15 * 60_000)).toEqual({ todo: 5, late: 3, red: 3 });
  });
});

describe("main action", () => {
  it("goes accept, check in, submit", () => {
    expect(mainVerb(["return", "accept"], false)).toBe("accept");
    expect(mainVerb(["submit", "check_in", "return"], false)).toBe("check_in");
    expect(mainVerb(["submit", "check_in", "return"], true)).toBe("submit");
    expect(mainVerb(["accept", "approve", "reject"], false)).toBe("approve");
    expect(mainVerb(["return"], false)).toBeNull();
  });
  it("says it in the words of the task", () => {
    expect(wordOf("approve", { name: "verify" })).toBe("go.approve_verify");
    expect(wordOf("approve", { name: "check" })).toBe("go.approve");
    expect(wordOf("accept", { name: "verify" })).toBe("go.accept");
  });
  it("knows a check", () => {
    expect(isCheck(["approve", "reject"])).toBe(true);
    expect(isCheck(["submit"])).toBe(false);
  });
});

describe("phone numbers", () => {
  it("dials only what can be dialled", () => {
    expect(dialable("139 0000 0000")).toBe("13900000000");
    expect(dialable("139****0000")).toBeNull();
    expect(dialable("张三")).toBeNull();
    expect(dialable(null)).toBeNull();
  });
});
