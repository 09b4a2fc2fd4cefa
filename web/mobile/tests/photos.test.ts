import { describe, expect, it } from "vitest";
import { ENOUGH_BYTES, goodEnough, QUALITIES, refusal, shrunk, takenAt, TOO_BIG_BYTES } from "../src/photos/rules";

describe("size", () => {
  it("fits the longest side into 1600 px and keeps the shape", () => {
    expect(shrunk({ width: 4032, height: 3024 })).toEqual({ width: 1600, height: 1200 });
    expect(shrunk({ width: 3024, height: 4032 })).toEqual({ width: 1200, height: 1600 });
  });
  it("never enlarges and never reaches nothing", () => {
    expect(shrunk({ width: 800, height: 600 })).toEqual({ width: 800, height: 600 });
    expect(shrunk({ width: 100_000, height: 2 })).toEqual({ width: 1600, height: 1 });
  });
});

describe("quality", () => {
  it("takes the first that is small enough, or the last", () => {
    expect(goodEnough(ENOUGH_BYTES, 0)).toBe(true);
    expect(goodEnough(ENOUGH_BYTES + 1, 0)).toBe(false);
    expect(goodEnough(ENOUGH_BYTES * 3, QUALITIES.length - 1)).toBe(true);
  });
});

describe("what is not taken", () => {
  it("says why", () => {
    expect(refusal({ type: "application/pdf", size: 10 })).toBe("photo.not_image");
    expect(refusal({ type: "image/jpeg", size: TOO_BIG_BYTES + 1 })).toBe("photo.too_big");
    expect(refusal({ type: "", size: 10 })).toBeNull(); // some cameras name no type; decoding decides
    expect(refusal({ type: "image/png", size: 10 })).toBeNull();
  });
});

describe("time of taking", () => {
  const now = new Date("2030-01-01T00:00:00Z");
  it("moves the file's age to the deployment's clock", () => {
    expect(takenAt(now, 100_000, 40_000).toISOString()).toBe("2029-12-31T23:59:00.000Z");
  });
  it("takes a file from the future, or without a time, as just taken", () => {
    expect(takenAt(now, 100_000, 200_000)).toEqual(now);
    expect(takenAt(now, 100_000, 0)).toEqual(now);
  });
});
