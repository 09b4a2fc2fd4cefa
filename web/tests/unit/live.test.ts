import { describe, expect, it } from "vitest";
import { follow, type LiveMessage } from "@/lib/live";

class FakeSource extends EventTarget {
  readyState = 0;
  closed = false;
  close(): void {
    this.closed = true;
  }
  opens(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }
  says(type: string, data: unknown, id = "1"): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: id }));
  }
  breaks(readyState: 0 | 2): void {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
}

function start() {
  const sources: FakeSource[] = [];
  const sent: LiveMessage[] = [];
  const waits: number[] = [];
  const due: (() => void)[] = [];
  const stop = follow(
    (message) => sent.push(message),
    () => sources[sources.push(new FakeSource()) - 1] as unknown as EventSource,
    (act, ms) => {
      waits.push(ms);
      due.push(act);
    },
  );
  return { sources, sent, waits, due, stop };
}

describe("the live stream", () => {
  it("passes messages on with their id", () => {
    const { sources, sent } = start();
    sources[0]!.opens();
    sources[0]!.says("case", { code: "C1" }, "17");
    expect(sent).toEqual([
      { type: "state", open: true },
      { type: "case", id: "17", data: { code: "C1" } },
    ]);
  });
  it("says that what is shown may be old while the stream has nothing to tell from", () => {
    const { sources, sent } = start();
    sources[0]!.opens();
    sources[0]!.says("stale", {});
    expect(sent.at(-1)).toEqual({ type: "state", open: false });
    sources[0]!.says("fresh", {});
    expect(sent.at(-1)).toEqual({ type: "state", open: true });
  });
  it("leaves a short cut to the browser, which resumes by id: no reset", () => {
    const { sources, sent } = start();
    sources[0]!.opens();
    sources[0]!.breaks(0);
    sources[0]!.opens();
    expect(sources).toHaveLength(1);
    expect(sent.filter((m) => m.type === "reset")).toEqual([]);
    expect(sent.at(-1)).toEqual({ type: "state", open: true });
  });
  it("opens a closed stream anew, later each time, and says that everything must be read again", () => {
    const { sources, sent, waits, due } = start();
    sources[0]!.opens();
    sources[0]!.breaks(2);
    due.shift()!();
    sources[1]!.breaks(2);
    due.shift()!();
    expect(waits).toEqual([1_000, 2_000]);
    sources[2]!.opens();
    expect(sent.filter((m) => m.type === "reset")).toHaveLength(1);
    sources[2]!.breaks(2);
    expect(waits).toEqual([1_000, 2_000, 1_000]);
  });
  it("passes the server's own reset on", () => {
    const { sources, sent } = start();
    sources[0]!.dispatchEvent(new Event("reset"));
    expect(sent).toEqual([{ type: "reset" }]);
  });
  it("stops for good when it is left", () => {
    const { sources, due, stop } = start();
    stop();
    expect(sources[0]!.closed).toBe(true);
    sources[0]!.breaks(2);
    due.forEach((act) => act());
    expect(sources).toHaveLength(1);
  });
});
