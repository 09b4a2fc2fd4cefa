import type { TaskItem } from "@/api/cases";
import { useI18n } from "vue-i18n";
import { online } from "../lib/network";
import { user } from "../lib/session";
import { say } from "../lib/toast";
import type { Photo } from "../photos/take";
import { put, settle } from "../queue/outbox";
import type { Entry } from "../queue/rules";
import { wordOf } from "./rules";

export interface Doing {
  verb: string;
  note?: string;
  form?: Record<string, unknown>;
  place?: { lon: number; lat: number; accuracy?: number } | null;
  photos?: Photo[];
}

/** Does a verb of a task through the outbox: kept first, sent at once when there is a network, later when there is none. */
export function useAct() {
  const { t } = useI18n();

  /** `login`: it is kept, and goes by itself once the same person has logged in again. */
  async function act(task: TaskItem, title: string, doing: Doing): Promise<Entry["state"] | "login"> {
    const body: Record<string, unknown> = {};
    if (doing.note) body["note"] = doing.note;
    if (doing.place) body["place"] = { ...doing.place };
    if (doing.form && Object.keys(doing.form).length) body["form"] = doing.form;
    const entry = await put({
      kind: "verb",
      path: `/api/v1/tasks/${encodeURIComponent(String(task.id))}/${doing.verb}`,
      title: `${t(wordOf(doing.verb, task))} · ${title}`,
      about: task.case,
      user: user.value,
      body,
      photos: doing.photos ?? [],
      carry: "ahead",
    });
    const { state, error } = online.value ? await settle(entry.id) : entry;
    if (state === "waiting" && error === "login") return "login";
    if (state === "refused") say(error || t("fault.unknown", { status: "–" }), true);
    else say(t(state === "sent" ? wordOf(doing.verb, task, "did") : "did.queued"));
    return state;
  }

  /** Why a case's alarms were none. Nothing waits for it. */
  async function falseAlarm(code: string, title: string, reason: string): Promise<void> {
    const path = `/api/v1/cases/${encodeURIComponent(code)}/outcome`;
    const body = { outcome: "false", reason };
    await put({ kind: "verb", path, title: `${t("did.why")} · ${title}`, about: code, user: user.value, body, photos: [], carry: "ahead" });
  }
  return { act, falseAlarm };
}
