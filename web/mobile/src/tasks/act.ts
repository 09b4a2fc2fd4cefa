import type { TaskItem } from "@/api/types";
import { showFailToast, showSuccessToast } from "vant";
import { useI18n } from "vue-i18n";
import { user } from "../lib/session";
import type { Photo } from "../photos/take";
import { online, put, settle } from "../queue/outbox";
import type { Entry } from "../queue/rules";

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

  async function act(task: TaskItem, title: string, doing: Doing): Promise<Entry["state"]> {
    const body: Record<string, unknown> = {};
    if (doing.note) body["note"] = doing.note;
    if (doing.place) body["place"] = { ...doing.place };
    if (doing.form && Object.keys(doing.form).length) body["form"] = doing.form;
    const entry = await put({
      kind: "verb",
      path: `/api/v1/tasks/${encodeURIComponent(String(task.id))}/${doing.verb}`,
      title: `${t(`go.${doing.verb}`)} · ${title}`,
      about: task.case,
      user: user.value,
      body,
      photos: doing.photos ?? [],
      carry: "ahead",
    });
    const { state, error } = online.value ? await settle(entry.id) : entry;
    if (state === "sent") showSuccessToast({ message: t(`did.${doing.verb}`), icon: "passed" });
    else if (state === "refused") showFailToast({ message: error || t("fault.unknown", { status: "" }), icon: "close", duration: 4000 });
    else showSuccessToast({ message: t("did.queued"), icon: "passed" });
    return state;
  }
  return { act };
}
