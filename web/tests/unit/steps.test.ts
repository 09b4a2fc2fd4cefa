// @vitest-environment node
import { describe, expect, it } from "vitest";
import { bar } from "@/lib/steps";
import { aFact } from "./make";

const states = (actions: string[], status: string): string =>
  bar(actions.map((action, i) => aFact(i + 1, action)), status).map((s) => `${s.step}:${s.state}${s.at ? "@" : ""}`).join(" "); // prettier-ignore

describe("the status bar", () => {
  it("shows what is done with its time, what is now and what comes", () => {
    expect(states(["reported", "filed", "dispatched"], "dispatched")).toBe("report:done@ dispatch:done@ accept:now handle:next check:next close:next");
  });
  it("counts signing for only after the dispatch, not the verifier's", () => {
    expect(states(["reported", "task_accepted", "filed", "dispatched"], "dispatched")).toContain("accept:now ");
    expect(states(["reported", "dispatched", "task_accepted"], "accepted")).toContain("accept:done@ handle:now");
  });
  it("goes back on rework and forgets the earlier times", () => {
    expect(states(["reported", "dispatched", "task_accepted", "submitted", "reworked"], "reworked")).toContain("handle:now check:next");
  });
  it("starts over at the dispatch when the unit sends the case back", () => {
    expect(states(["reported", "dispatched", "returned"], "filed")).toBe("report:done@ dispatch:now accept:next handle:next check:next close:next");
  });
  it("ends whole when the case is closed, early when it is voided", () => {
    expect(states(["reported", "dispatched", "task_accepted", "submitted", "check_approved", "closed"], "closed")).not.toContain("next");
    expect(states(["reported", "voided"], "voided")).toContain("close:done@");
    expect(states(["reported"], "voided")).toBe("report:done@ dispatch:next accept:next handle:next check:next close:done");
  });
});
