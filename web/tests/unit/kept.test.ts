import { describe, expect, it } from "vitest";
import { nextTick, ref } from "vue";
import { Problem } from "@/api/client";
import { useForm } from "@/lib/save";
import { forgetAllTyped, forgetTyped, keepTyped, readTyped, useTyped } from "@/lib/kept";

/** A store as the browser's, without one. */
function aStore(refuse = false): Storage {
  const store = Object.create({
    getItem: (key: string) => (store as Record<string, string>)[key] ?? null,
    removeItem: (key: string) => void delete (store as Record<string, string>)[key],
    setItem(key: string, value: string) {
      if (refuse) throw new DOMException("full", "QuotaExceededError");
      (store as Record<string, string>)[key] = value;
    },
  }) as Storage;
  return store;
}

describe("what was typed and not sent", () => {
  it("comes back after a reload, under its own key only", () => {
    const store = aStore();
    useTyped(() => "ann:case:1:void", "", store).value = "重复上报 😀 <b>";
    expect(useTyped(() => "ann:case:1:void", "", store).value).toBe("重复上报 😀 <b>");
    expect(useTyped(() => "ann:case:1:urge", "", store).value).toBe("");
    expect(useTyped(() => "bob:case:1:void", "", store).value).toBe("");
  });
  it("follows the key and never writes one form's words under another", async () => {
    const store = aStore();
    const code = ref("1");
    const note = useTyped(() => code.value, "", store);
    note.value = "of one";
    code.value = "2";
    expect(note.value).toBe("");
    note.value = "of two";
    code.value = "1";
    await nextTick();
    expect([note.value, readTyped("2", "", store)]).toEqual(["of one", "of two"]);
  });
  it("keeps whole forms, and hands out a fresh empty one each time", () => {
    const store = aStore();
    const empty: Record<string, unknown> = {};
    const form = useTyped(() => "f", empty, store);
    form.value["result"] = "ok";
    expect([readTyped("f", empty, store), empty]).toEqual([{ result: "ok" }, {}]);
  });
  it("is gone once sent, emptied, or everybody logged out", () => {
    const store = aStore();
    keepTyped("a", "x", "", store);
    keepTyped("b", "y", "", store);
    keepTyped("c", "z", "", store);
    store.setItem("tour", "3");
    forgetTyped("a", store);
    keepTyped("b", "", "", store);
    expect(["a", "b", "c"].map((key) => readTyped(key, "", store))).toEqual(["", "", "z"]);
    forgetAllTyped(store);
    expect([readTyped("c", "", store), store.getItem("tour")]).toEqual(["", "3"]);
  });
  it("survives a full store and a broken entry", () => {
    const note = useTyped(() => "k", "", aStore(true));
    note.value = "words";
    expect(note.value).toBe("words");
    const store = aStore();
    store.setItem("typed:k", "{");
    expect(readTyped("k", "", store)).toBe("");
  });
});

describe("a form in a drawer", () => {
  /** As a screen has it: a field, a drawer, and what the server knows. */
  function aForm(store: Storage, code = "d1", known = "Gate") {
    const open = ref(false);
    const name = ref("");
    const form = useForm((key) => key, open, () => (name.value = known), { key: () => `ann:device:${code}`, fields: { name } }, store);
    return { open, name, form };
  }
  it("has what was typed when it is opened again, after a reload, too", async () => {
    const store = aStore();
    const first = aForm(store);
    first.open.value = true;
    await nextTick();
    expect(first.form.restored.value).toBe(false);
    first.name.value = "North gate";
    first.open.value = false;
    await nextTick();
    first.open.value = true;
    await nextTick();
    expect([first.name.value, first.form.restored.value]).toEqual(["North gate", true]);
    const again = aForm(store);
    again.open.value = true;
    await nextTick();
    expect([again.name.value, again.form.restored.value]).toEqual(["North gate", true]);
    const other = aForm(store, "d2");
    other.open.value = true;
    await nextTick();
    expect([other.name.value, other.form.restored.value]).toEqual(["Gate", false]);
  });
  it("keeps only what differs, begins afresh when asked, and forgets what was sent", async () => {
    const store = aStore();
    const { open, name, form } = aForm(store);
    open.value = true;
    await nextTick();
    name.value = "North gate";
    form.anew();
    expect([name.value, form.restored.value, Object.keys(store)]).toEqual(["Gate", false, []]);
    name.value = "South gate";
    expect(await form.send(() => Promise.resolve())).toBe(true);
    expect([open.value, Object.keys(store)]).toEqual([false, []]);
  });
  it("says in words what failed, in the server's where it has any", async () => {
    const { open, name, form } = aForm(aStore());
    open.value = true;
    await nextTick();
    name.value = "North gate";
    const answers: [Problem, string][] = [
      [new Problem(0), "fault.offline"],
      [new Problem(409, { title: "Not now", detail: "Somebody was faster." }), "Somebody was faster."],
      [new Problem(422, { title: "No", errors: [{ pointer: "", message: "Too long" }] }), "Too long"],
    ];
    for (const [problem, said] of answers) {
      expect(await form.send(() => Promise.reject(problem))).toBe(false);
      expect([form.general.value, open.value, name.value]).toEqual([said, true, "North gate"]);
    }
  });
});
