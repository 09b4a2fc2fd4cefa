import { flushPromises } from "@vue/test-utils";
import { describe, expect, it } from "vitest";
import { ref } from "vue";
import { Problem } from "@/api/client";
import { useLook } from "@/lib/look";

const ASKED = { purpose: "handle_case", reason: "990101" };

describe("a look at masked numbers", () => {
  it("keeps what was opened until another thing is shown", async () => {
    const shown = ref(1);
    const look = useLook(async (asked) => `${asked.purpose}/${asked.reason}`, shown);
    await look.ask(ASKED);
    expect(look.opened.value).toBe("handle_case/990101");
    shown.value = 2;
    await flushPromises();
    expect(look.opened.value).toBeNull();
  });

  it("does not show an answer that comes after one has gone on", async () => {
    const shown = ref(1);
    let answer: (value: string) => void = () => undefined;
    const look = useLook(() => new Promise<string>((resolve) => (answer = resolve)), shown);
    const asking = look.ask(ASKED);
    shown.value = 2;
    answer("13800000000");
    await asking;
    expect(look.opened.value).toBeNull();
  });

  it("says in the server's words why not, and is asked again", async () => {
    let refuse = true;
    const look = useLook(async () => {
      if (refuse) throw new Problem(422, { detail: "x", errors: [{ pointer: "/reason", message: "请写明事由" }] });
      return "ok";
    }, ref(1));
    await look.ask(ASKED);
    expect(look.state.value).toEqual({ failure: "请写明事由", busy: false });
    refuse = false;
    await look.ask(ASKED);
    expect(look.opened.value).toBe("ok");
    expect(look.state.value.failure).toBe("");
  });
});
