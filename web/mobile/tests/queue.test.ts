import { describe, expect, it } from "vitest";
import { after, type Entry, mayGoNameless, nameless, needsLogin, nextStep, pause, readProblem, ready, recovered, retried, unsent } from "../src/queue/rules";

const entry = (more: Partial<Entry> = {}): Entry => ({
  id: "e1",
  key: "k1",
  kind: "report",
  path: "/api/v1/reports",
  title: "井盖",
  about: null,
  user: null,
  body: { text: "井盖坏了" },
  photos: [],
  carry: "ahead",
  state: "waiting",
  tries: 0,
  nextAt: 0,
  madeAt: 1,
  error: null,
  answer: null,
  ...more,
});

const withPhotos = entry({
  photos: [
    { id: "p1", server: null },
    { id: "p2", server: null },
  ],
});

describe("what goes next", () => {
  it("sends photos first, one by one, then the body", () => {
    const one = after(withPhotos, { kind: "photo", photo: "p1", server: "71" }, 0);
    const two = after(one, { kind: "photo", photo: "p2", server: "72" }, 0);
    expect(nextStep(withPhotos)).toEqual({ do: "photo", photo: "p1" });
    expect(nextStep(one)).toEqual({ do: "photo", photo: "p2" });
    expect(nextStep(two)).toEqual({ do: "body" });
  });

  it("never sends a photo again whose id it already has, however often the body fails", () => {
    let now = after(withPhotos, { kind: "photo", photo: "p1", server: "71" }, 0);
    for (const kind of ["offline", "busy", "offline"] as const) now = after(now, { kind }, 0);
    expect(now.photos[0]).toEqual({ id: "p1", server: "71" });
    expect(nextStep(now)).toEqual({ do: "photo", photo: "p2" });
  });

  it("carries photos inside the report when there is no account", () => {
    expect(nextStep({ ...withPhotos, carry: "inside" })).toEqual({ do: "body" });
  });

  it("rests when it is over", () => {
    expect(nextStep(entry({ state: "sent" }))).toEqual({ do: "rest" });
    expect(nextStep(entry({ state: "refused" }))).toEqual({ do: "rest" });
  });
});

describe("after the session ended", () => {
  const hers = { ...withPhotos, user: "worker", body: { text: "井盖坏了" } };
  const refused = after(after(hers, { kind: "photo", photo: "p1", server: "71" }, 0), { kind: "login" }, 0);

  it("waits for its maker, who may choose to send a report without a name", () => {
    expect([needsLogin(hers, "worker"), needsLogin(refused, "worker"), needsLogin(hers, null), needsLogin(entry(), null)]).toEqual([false, true, true, false]);
    expect([null, "worker", "handler"].map((user) => mayGoNameless(refused, user))).toEqual([true, true, false]);
    expect(mayGoNameless({ ...refused, kind: "verb" }, null)).toBe(false);
  });

  it("goes as nobody's then, with its photos inside and nothing of the account", () => {
    const now = nameless(refused, "k2");
    expect(now).toMatchObject({ user: null, key: "k2", carry: "inside", error: null, body: { text: "井盖坏了" }, photos: withPhotos.photos });
    expect([nextStep(now), ready(now, null, 0)]).toEqual([{ do: "body" }, true]);
  });
});

describe("what an answer means", () => {
  it("keeps the case and lets go of body and photos once sent", () => {
    const done = after(withPhotos, { kind: "done", answer: { case: "C1", track_url: "/track/C1?key=x" } }, 5);
    expect(done).toMatchObject({ state: "sent", body: {}, photos: [], answer: { case: "C1" } });
  });

  it("waits longer with each failure and keeps the key", () => {
    const waits: number[] = [];
    let now = entry();
    for (let i = 0; i < 7; i++) {
      now = after({ ...now, state: "sending" }, { kind: "offline" }, 1000);
      waits.push(now.nextAt - 1000);
    }
    expect(waits).toEqual([2_000, 5_000, 15_000, 60_000, 300_000, 300_000, 300_000]);
    expect(now).toMatchObject({ state: "waiting", key: "k1", body: { text: "井盖坏了" } });
    expect(pause(0)).toBe(0);
  });

  it("reads status codes", () => {
    expect(readProblem(0, [])).toEqual({ kind: "offline" });
    expect(readProblem(401, ["x"])).toEqual({ kind: "login" });
    for (const status of [408, 425, 429, 500, 502, 503]) expect(readProblem(status, [])).toEqual({ kind: "busy" });
    expect(readProblem(409, ["现在不能签收", "", "现在不能签收"])).toEqual({ kind: "refused", error: "现在不能签收" });
    expect(readProblem(422, ["照片必须有", "请拍照"])).toEqual({ kind: "refused", error: "照片必须有 请拍照" });
  });

  it("keeps what waits for a log-in", () => {
    expect(after(entry(), { kind: "login" }, 0)).toMatchObject({ state: "waiting", error: "login" });
  });
});

describe("who may send", () => {
  it("sends only for its maker; without an account anybody's session will do", () => {
    expect(ready(entry({ user: "worker" }), "worker", 0)).toBe(true);
    expect(ready(entry({ user: "worker" }), "handler", 0)).toBe(false);
    expect(ready(entry({ user: "worker" }), null, 0)).toBe(false);
    expect(ready(entry(), "handler", 0)).toBe(true);
  });

  it("waits for its time", () => {
    expect(ready(entry({ nextAt: 10 }), null, 9)).toBe(false);
    expect(ready(entry({ nextAt: 10 }), null, 10)).toBe(true);
  });
});

describe("after a reload", () => {
  it("takes up what was being sent", () => {
    expect(recovered(entry({ state: "sending", nextAt: 99 }))).toMatchObject({ state: "waiting", nextAt: 0 });
    expect(recovered(entry({ state: "refused" })).state).toBe("refused");
  });

  it("counts what is not sent, and a retry takes a new key", () => {
    const all = [entry(), entry({ state: "sending" }), entry({ state: "sent" }), entry({ state: "refused" })];
    expect(unsent(all)).toHaveLength(2);
    expect(retried(entry({ state: "refused", error: "x", tries: 3 }), "k2")).toMatchObject({
      id: "e1",
      key: "k2",
      state: "waiting",
      error: null,
      tries: 0,
    });
  });
});
