import type { Unit } from "@/api/orgs";
import { lowerDesk } from "@/lib/desks";
import { describe, expect, it } from "vitest";

const unit = (id: number, region: string): Unit => ({ id, name: `u${id}`, region }) as Unit;
const desks = [unit(3, "990101001014"), unit(2, "990101001"), unit(1, "990101")];

describe("the desk below", () => {
  it("is the next level, not the lowest", () => expect(lowerDesk(desks, { id: 1, name: "" })?.id).toBe(2));
  it("is none below the lowest", () => expect(lowerDesk(desks, { id: 3, name: "" })).toBeNull());
  it("is none when no desk holds the case", () => expect(lowerDesk(desks, null)).toBeNull());
  it("is none elsewhere", () => expect(lowerDesk([unit(1, "990101"), unit(9, "990102001")], { id: 1, name: "" })).toBeNull());
});
