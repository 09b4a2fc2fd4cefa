import { describe, expect, it } from "vitest";
import { fromCode, geoLink, metres } from "../src/lib/place";
import { body, EMPTY, fieldsOf, lacking } from "../src/report/rules";

const place = { lon: 120.5, lat: 28.25 };

describe("a report", () => {
  it("needs a photo or words, and a place or an address", () => {
    expect(lacking(EMPTY, 0)).toBe("report.need");
    expect(lacking(EMPTY, 1)).toBe("report.need_place");
    expect(lacking({ ...EMPTY, place }, 1)).toBeNull();
    expect(lacking({ ...EMPTY, text: "井盖没了", address: " 东街 12 号 " }, 0)).toBeNull();
    expect(lacking({ ...EMPTY, text: "  ", place }, 0)).toBe("report.need");
  });
  it("takes a number that can be rung, or none", () => {
    const told = (contact: string) => lacking({ ...EMPTY, place, contact }, 1);
    for (const good of ["", "  ", "13800001234", "+86 138 0000 1234", "0574-12345678 转 801", "12345", "110"]) expect(told(good)).toBeNull();
    for (const bad of ["abc", "1", "138****1234", "请打我电话", "-"]) expect(told(bad)).toBe("report.bad_contact");
  });

  it("sends only what was filled in", () => {
    expect(body({ ...EMPTY, place: { ...place, accuracy: 8 } })).toEqual({ place });
    expect(body({ ...EMPTY, kind: "rubbish", text: " 垃圾 ", address: "东街", contact: "139" })).toEqual({
      text: "垃圾",
      kind: "06010",
      address: "东街",
      contact: "139",
    });
  });

  it("comes back into the form when it was refused, without the place", () => {
    const fields = { ...EMPTY, kind: "lamp" as const, text: "灯不亮", address: "东街", contact: "139" };
    expect(fieldsOf(body({ ...fields, place }))).toEqual(fields);
    expect(fieldsOf({})).toEqual(EMPTY);
  });

  it("leaves the type of other things to the desk", () => {
    expect(body({ ...EMPTY, kind: "other", place })).toEqual({ place });
  });
});

describe("places", () => {
  it("reads a code on site and refuses nonsense", () => {
    expect(fromCode("120.5,28.25,东街,3 号")).toEqual({ ...place, address: "东街,3 号" });
    expect(fromCode("120.5,28.25")).toEqual({ ...place, address: "" });
    for (const bad of [null, "", "x,y", "200,10", ",", "120.5"]) expect(fromCode(bad)).toBeNull();
  });
  it("makes a link the phone's own map understands", () => {
    expect(geoLink(place, "井盖")).toBe(`geo:28.25,120.5?q=28.25,120.5(${encodeURIComponent("井盖")})`);
  });
  it("measures metres", () => {
    expect(metres(place, place)).toBe(0);
    expect(metres(place, { lon: 120.5, lat: 28.26 })).toBeCloseTo(1112, 0);
  });
});
