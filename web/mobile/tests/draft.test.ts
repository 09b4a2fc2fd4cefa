import { beforeEach, describe, expect, it } from "vitest";
import { effectScope, ref } from "vue";
import type { Photo } from "../src/photos/take";
import { useDraft } from "../src/queue/draft";

const EMPTY: { text: string; place: string | null } = { text: "", place: null };
const scope = effectScope();
const open = (account: () => string | null) => scope.run(() => useDraft("report", account, EMPTY))!;

beforeEach(() => localStorage.clear());

describe("a form that outlives its page", () => {
  it("keeps each keystroke before anything else can happen", () => {
    open(() => "li").fields.text = "换了新井盖";
    expect(open(() => "li").fields.text).toBe("换了新井盖");
  });

  it("shows nobody what another account of the phone began", () => {
    open(() => "li").fields.text = "赌博举报";
    expect(open(() => "wang").fields.text).toBe("");
    expect(open(() => null).fields.text).toBe("");
  });

  it("goes on under the name that becomes known, and is nobody else's then", () => {
    const account = ref<string | null>(null);
    const draft = open(() => account.value);
    draft.fields.text = "路灯不亮";
    account.value = "li";
    expect(draft.fields.text).toBe("路灯不亮");
    expect(open(() => "li").fields.text).toBe("路灯不亮");
    expect(open(() => null).fields.text).toBe("");
  });

  it("leaves what the account itself had begun", () => {
    open(() => "li").fields.text = "井盖坏了";
    const account = ref<string | null>(null);
    const draft = open(() => account.value);
    draft.fields.text = "路灯不亮";
    account.value = "li";
    expect(draft.fields.text).toBe("井盖坏了");
    expect(open(() => null).fields.text).toBe("路灯不亮");
  });

  it("is empty after it was handed in", () => {
    const draft = open(() => "li");
    draft.fields.text = "井盖坏了";
    draft.clear();
    expect(localStorage).toHaveLength(0);
    expect(draft.fields).toEqual(EMPTY);
  });

  it("shows a photo even where nothing can be stored", async () => {
    const draft = open(() => "li");
    await draft.add({ id: "p1", blob: new Blob(["x"]), sha256: null, at: "2026-11-30T08:00:00+08:00", place: null, label: "report" } as Photo);
    expect(draft.photos.value.map((photo) => photo.id)).toEqual(["p1"]);
  });
});
