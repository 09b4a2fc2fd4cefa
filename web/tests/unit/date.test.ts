import { mount } from "@vue/test-utils";
import { describe, expect, it } from "vitest";
import DateField from "@/components/DateField.vue";

describe("a date of a form", () => {
  it("is a day, or a moment by the clock of the place", async () => {
    for (const [kind, type, typed, answer] of [
      ["date", "date", "2026-11-30", "2026-11-30"],
      ["moment", "datetime-local", "2026-11-30T08:30", "2026-11-30T08:30:00+08:00"],
    ] as const) {
      const field = mount(DateField, { props: { kind, modelValue: undefined as unknown } });
      expect(field.attributes("type")).toBe(type);
      field.element.value = typed;
      await field.trigger("change");
      expect(field.emitted("update:modelValue")).toEqual([[answer]]);
      await field.setProps({ modelValue: answer });
      expect(field.element.value).toBe(typed); // a draft that comes back stands there again
      field.element.value = "";
      await field.trigger("change");
      expect(field.emitted("update:modelValue")!.pop()).toEqual([undefined]);
    }
  });
  it("tells of half a date, and forgets one that the browser did not keep", async () => {
    const field = mount(DateField, { props: { kind: "date", modelValue: undefined } });
    Object.defineProperty(field.element, "validity", { value: { badInput: true } });
    field.element.value = "";
    await field.trigger("blur");
    expect(field.emitted("update:modelValue")).toEqual([[""]]);
    expect(mount(DateField, { props: { kind: "date", modelValue: "" } }).emitted("update:modelValue")).toEqual([[undefined]]);
    expect(mount(DateField, { props: { kind: "date", modelValue: "2026-11-30" } }).emitted("update:modelValue")).toBeUndefined();
  });
});
