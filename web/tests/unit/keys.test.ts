import { describe, expect, it, vi } from "vitest";
import { meant } from "@/lib/keys";

const act = vi.fn();
const table = { j: act, Enter: act, "1": act, "?": act, Escape: act };

function press(key: string, on: HTMLElement = document.body, init: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, ...init });
  on.dispatchEvent(event);
  return event;
}

function element(html: string): HTMLElement {
  document.body.innerHTML = html;
  return document.body.firstElementChild as HTMLElement;
}

describe("keys", () => {
  it("mean something outside of fields, in either case", () => {
    expect(meant(press("j"), table)).toBe(act);
    expect(meant(press("J"), table)).toBe(act);
    expect(meant(press("?"), table)).toBe(act);
    expect(meant(press("x"), table)).toBeNull();
  });
  it("are letters while a person types, except Escape", () => {
    const field = element("<input>");
    expect(meant(press("j", field), table)).toBeNull();
    expect(meant(press("1", field), table)).toBeNull();
    expect(meant(press("Escape", field), table)).toBe(act);
    expect(meant(press("j", element('<div role="combobox"></div>')), table)).toBeNull();
  });
  it("leave Enter to a focused button", () => {
    expect(meant(press("Enter", element("<button></button>")), table)).toBeNull();
    expect(meant(press("Enter", element("<div></div>")), table)).toBe(act);
  });
  it("mean nothing under a window that lies over the screen", () => {
    for (const html of ['<div><div aria-modal="true"></div></div>', '<div class="el-image-viewer__wrapper"></div>']) {
      element(html);
      for (const key of ["j", "Enter", "1", "Escape"]) expect(meant(press(key), table)).toBeNull();
    }
    element('<div style="display: none"><div aria-modal="true"></div></div>');
    expect(meant(press("j"), table)).toBe(act);
  });
  it("do not fire with a modifier or while composing Chinese", () => {
    expect(meant(press("j", document.body, { ctrlKey: true }), table)).toBeNull();
    expect(meant(press("Enter", document.body, { isComposing: true }), table)).toBeNull();
  });
  it("held down walk the list but dispatch only once", () => {
    expect(meant(press("j", document.body, { repeat: true }), table)).toBe(act);
    expect(meant(press("Enter", document.body, { repeat: true }), table)).toBeNull();
  });
});
