import { describe, expect, it } from "vitest";
import { address, cookie, headersFor, newKey, Problem, readProblem } from "@/api/client";
import { faultText } from "@/lib/faults";
import { folded } from "@/lib/folded";
import { answerOf, begun, fieldsOf, missing, photosOf, typedOf, unread } from "@/lib/form";
import { seriesOf } from "@/lib/reading";
import { byTimeLeft, compares, isLate, pair, stateKey } from "@/lib/tasks";
import { treeOf } from "@/lib/tree";
import { metres, twinsOf } from "@/lib/twins";
import { changed, fromAddress, toQuery } from "@/screens/cases/filters";
import { keepTour, readTour, stepFor } from "@/screens/tour/steps";
import { aCase, aFact, aPhoto, aTask } from "./make";

const say = (key: string): string => key;

describe("the client", () => {
  it("leaves empty words out of the address", () => {
    expect(address("/a", { q: "", box: "todo", n: 0, on: false, x: null })).toBe("/a?box=todo&n=0&on=false");
    expect(address("/a")).toBe("/a");
  });
  it("reads a cookie among others", () => {
    expect(cookie("csrftoken", "x=1; csrftoken=a%3Db; y=2")).toBe("a=b");
    expect(cookie("none", "x=1")).toBe("");
  });
  it("gives every write a key of its own, and a repeat the old one", () => {
    expect(headersFor("GET", {})["Idempotency-Key"]).toBeUndefined();
    expect(headersFor("POST", { key: "k" })["Idempotency-Key"]).toBe("k");
    expect(newKey()).not.toBe(newKey());
    expect(newKey()).toMatch(/^[0-9a-f]{32}$/);
  });
  it("reads a problem document, and survives an answer that is none", () => {
    expect(readProblem(409, '{"title":"现在不行","verbs":["submit"]}')).toMatchObject({ status: 409, title: "现在不行", verbs: ["submit"] });
    expect(readProblem(502, "<html>")).toMatchObject({ status: 502, title: "", fields: [] });
    expect(readProblem(500, "null").status).toBe(500);
  });
});

describe("faults in words", () => {
  it("prefer the server's sentence and list the fields", () => {
    const text = faultText(new Problem(422, { title: "缺少说明", detail: "缺少说明", errors: [{ pointer: "/note", message: "必填" }] }), say);
    expect(text).toEqual({ title: "缺少说明", detail: "", fields: ["notecolon必填"] });
  });
  it("do not say a field's fault again that the sentence has said", () => {
    const told = new Problem(422, { title: "内容有误", detail: "“note” 最多 2000 个字", errors: [{ pointer: "/note", message: "“note” 最多 2000 个字" }] });
    expect(faultText(told, say)).toEqual({ title: "内容有误", detail: "“note” 最多 2000 个字", fields: [] });
  });
  it("fall back to ours by status", () => {
    expect(faultText(new Problem(0), say).title).toBe("fault.offline");
    expect(faultText(new Problem(418), say).title).toBe("fault.unknown");
    expect(faultText(new TypeError("x"), say).title).toBe("fault.unknown");
  });
});

describe("forms", () => {
  const schema = {
    required: ["result", "n"],
    properties: {
      result: { type: "string", title: "结果", enum: ["ok", "temp"], "x-enum-names": ["修好", "临时"] },
      n: { type: "integer", title: "数量" },
      words: { type: "string", maxLength: 500 },
    },
  };
  it("draw each kind of field with its words", () => {
    const fields = fieldsOf(schema, "zh-CN");
    expect(fields.map((f) => [f.label, f.kind, f.required])).toEqual([["结果", "choice", true], ["数量", "number", true], ["words", "long", false]]); // prettier-ignore
    expect(fields[0]!.options[0]).toEqual({ value: "ok", label: "修好" });
  });
  it("speak English to who reads English, in options and hints too", () => {
    const visit = {
      properties: {
        how: {
          title: "怎么知道的", "x-title-en": "Known by", description: "先打电话", "x-description-en": "Telephone first",
          oneOf: [{ const: "phone", title: "电话联系上", "x-title-en": "By telephone" }, { const: "seen", title: "当面见到" }],
        },
      },
    }; // prettier-ignore
    const read = (lang: string) => fieldsOf(visit, lang).map((f) => [f.label, f.hint, ...f.options.map((o) => o.label)])[0];
    expect(read("en")).toEqual(["Known by", "Telephone first", "By telephone", "当面见到"]);
    expect(read("zh-CN")).toEqual(["怎么知道的", "先打电话", "电话联系上", "当面见到"]);
    expect(fieldsOf(visit, "en")[0]!.options.map((o) => o.value)).toEqual(["phone", "seen"]);
  });
  it("begin with what must be filled, in the order named, however the server's store sorts them", () => {
    const stored = { required: ["result", "how"], properties: { how: {}, words: {}, result: {} } };
    expect(fieldsOf(stored, "zh-CN").map((f) => f.name)).toEqual(["result", "how", "words"]);
  });
  it("say which photos they want, and begin with what the case knows", () => {
    const visit = { "x-photos": [{ kind: "scene" as const, title: "探访照片", "x-title-en": "Photos of the visit" }], properties: { household: { "x-from": "household" as const }, words: {} } }; // prettier-ignore
    expect([photosOf(visit, "zh-CN"), photosOf(visit, "en")?.[0]?.label, photosOf(schema, "en")]).toEqual([[{ kind: "scene", label: "探访照片" }], "Photos of the visit", null]);
    expect(begun(visit, { words: "在家" }, { household: "H-1" })).toEqual({ household: "H-1", words: "在家" });
    expect(begun(visit, { household: "" }, { household: "H-1" })).toEqual({ household: "" });
    expect(begun(visit, {}, { household: null })).toEqual({});
  });
  it("compare no before and after of a visit", () => {
    const seen = { ...aPhoto("a", "scene"), task: "t" };
    expect([[seen], [seen, aPhoto("b", "after")], [aPhoto("c", "scene")]].map(compares)).toEqual([false, true, true]);
  });
  it("take days and moments by the clock of the place, and say what cannot be read", () => {
    const dated = { properties: { day: { format: "date" }, next: { format: "date-time" }, words: {} } };
    expect(fieldsOf(dated, "en").map((f) => f.kind)).toEqual(["date", "moment", "text"]);
    expect([answerOf("date", "2026-11-30", false), answerOf("moment", "2026-11-30T08:30", false)]).toEqual(["2026-11-30", "2026-11-30T08:30:00+08:00"]);
    expect([typedOf("date", "2026-11-30"), typedOf("moment", "2026-11-30T00:30:00Z")]).toEqual(["2026-11-30", "2026-11-30T08:30"]);
    expect([answerOf("date", "", false), answerOf("date", "", true)]).toEqual([undefined, ""]);
    expect(unread(dated, { day: "2026-11-30", next: "2026-11-30T08:30:00+08:00", words: "x" })).toEqual([]);
    expect(unread(dated, { words: "明天" })).toEqual([]);
    for (const day of ["", "明天", "2026-02-30", "11/30/2026", 20261130]) expect([day, unread(dated, { day })]).toEqual([day, ["day"]]);
    for (const next of ["", "2026-11-30", "2026-11-30T08:30"]) expect([next, unread(dated, { next })]).toEqual([next, ["next"]]);
  });
  it("know what is missing; nought is a value", () => {
    expect(missing(schema, { n: 0 })).toEqual(["result"]);
    expect(missing(null, {})).toEqual([]);
  });
});

describe("tasks", () => {
  it("stand by time left, those without a limit last", () => {
    const tasks = [aTask({ id: "none", due_at: null }), aTask({ id: "later", due_at: "2026-11-23T00:00:00Z" }), aTask({ id: "now", due_at: "2026-11-22T00:00:00Z" })];
    expect(tasks.sort(byTimeLeft).map((task) => task.id)).toEqual(["now", "later", "none"]);
  });
  it("are late only while they live", () => {
    const now = Date.parse("2026-11-23T00:00:00Z");
    expect(isLate(aTask(), now)).toBe(true);
    expect(isLate(aTask({ status: "done" }), now)).toBe(false);
  });
  it("pair the pictures of before and after", () => {
    const { before, after } = pair([aPhoto("1", "before"), aPhoto("2", "after"), aPhoto("3", "")]);
    expect([before.map((p) => p.id), after.map((p) => p.id)]).toEqual([["1", "3"], ["2"]]);
  });
});

describe("near twins", () => {
  const near = (code: string, dlon: number, change = {}) => aCase({ code, place: { lon: 121.1 + dlon, lat: 28.4, address: "" }, ...change });
  it("are open, within reach, the same type first", () => {
    const around = [near("far", 0.02), near("other", 0.001, { type: "01002" }), near("same", 0.003), near("ended", 0, { status: "closed" }), aCase()];
    expect(twinsOf(aCase(), around).map((item) => item.code)).toEqual(["same", "other"]);
  });
  it("a degree of latitude is about 111 km", () => {
    expect(metres({ lon: 0, lat: 0, address: "" }, { lon: 0, lat: 1, address: "" })).toBeCloseTo(111_195, -2);
    expect(metres(null, null)).toBeNull();
  });
});

describe("the tree of units", () => {
  it("puts children under parents and strays at the top", () => {
    const rows = treeOf([{ id: 3, parent: 2 }, { id: 2, parent: 1 }, { id: 9, parent: 77 }, { id: 1, parent: null }]); // prettier-ignore
    expect(rows.map((row) => [row.item.id, row.above.length])).toEqual([[9, 0], [1, 0], [2, 1], [3, 2]]); // prettier-ignore
  });
});

describe("filters in the address", () => {
  it("read and write each other; a change goes back to the first page", () => {
    const filters = fromAddress({ q: "灯", box: "todo", nonsense: "x", after: "c" });
    expect(filters).toEqual({ q: "灯", box: "todo", after: "c" });
    expect(changed(filters, { box: "" })).toEqual({ q: "灯" });
    expect(changed(filters, { after: "d" })).toEqual({ q: "灯", box: "todo", after: "d" });
  });
  it("a day is its first or last moment, a time stays a time", () => {
    expect(toQuery({ since: "2026-11-22", until: "2026-11-22" })).toMatchObject({ since: "2026-11-22T00:00:00+08:00", until: "2026-11-22T23:59:59+08:00" });
    expect(toQuery({ since: "2026-11-22T01:00:00Z" })["since"]).toBe("2026-11-22T01:00:00Z");
  });
});

describe("the tour", () => {
  it("knows the step a status waits for", () => {
    expect(["reported", "dispatched", "reworked", "checking", "closed"].map(stepFor)).toEqual([1, 2, 2, 3, 4]);
  });
  it("is kept in the tab and survives nonsense", () => {
    keepTour({ step: 2, code: "C1", track: "/track/C1?key=k" });
    expect(readTour()).toEqual({ step: 2, code: "C1", track: "/track/C1?key=k" });
    sessionStorage.setItem("gridloop.tour", "{");
    expect(readTour()).toBeNull();
    sessionStorage.setItem("gridloop.tour", '{"step":9}');
    expect(readTour()).toBeNull();
    keepTour(null);
    expect(readTour()).toBeNull();
  });
});

describe("the state of a task", () => {
  it("is signed for in the field, and done at a desk", () => {
    expect(stateKey({ status: "open", stage: "handle" })).toBe("taskStatus.open");
    expect(stateKey({ status: "open", stage: "check" })).toBe("taskStatus.waiting");
    expect(stateKey({ status: "done", stage: "check" })).toBe("taskStatus.done");
  });
});

describe("what a device's last value is of", () => {
  const step = (at: string, low: number, high: number) => ({ at, low, mean: low, high, count: 1 });
  const level = { kind: "water_level", title: "水位", unit: "m", count: 2, points: [step("2026-03-01T08:00:00Z", 1, 1), step("2026-03-01T09:00:00Z", 2, 3)] };
  const heat = { kind: "temperature", title: "温度", unit: "°C", count: 1, points: [step("2026-03-01T08:30:00Z", 2, 30)] };
  it("is the kind whose newest step holds it", () => {
    expect(seriesOf(2.5, [heat, level])?.unit).toBe("m");
    expect(seriesOf(20, [heat, level])?.unit).toBe("°C");
    expect(seriesOf(1, [level])).toBeNull();
    expect(seriesOf(null, [level])).toBeNull();
    expect(seriesOf(2.5, [])).toBeNull();
  });
  it("is not guessed among several of one moment", () => {
    const twin = { ...heat, points: [step("2026-03-01T09:00:00Z", 2, 3)] };
    expect(seriesOf(2.5, [twin, level])).toBeNull();
  });
});

describe("the trace on a phone", () => {
  it("says once what was done several times in a row by one, and never joins across another", () => {
    const sent = [1, 2, 3].map((seq) => aFact(seq, "notice_sent"));
    const facts = [...sent, aFact(4, "task_opened"), aFact(5, "notice_sent"), aFact(6, "notice_sent", { actor_name: "别人" })];
    expect(folded(facts).map((line) => [line.fact.seq, line.times])).toEqual([
      [6, 1],
      [5, 1],
      [4, 1],
      [3, 3],
    ]);
    expect(folded([aFact(1, "note", { text: "甲" }), aFact(2, "note", { text: "乙" })])).toHaveLength(2);
  });
});
