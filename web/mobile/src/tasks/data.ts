import { get } from "@/api/client";
import type { CaseDetail, EvidenceItem, Fact, Page, TaskItem } from "@/api/types";
import { ref } from "vue";

/** Number on the tab; set by whoever read the list last. */
export const openTasks = ref(0);

const MOST = 200;

/** My tasks that are not done yet. */
export async function fetchTasks(): Promise<TaskItem[]> {
  const { items } = await get<Page<TaskItem>>("/api/v1/tasks", { mine: true, status: "live", limit: MOST });
  openTasks.value = items.length;
  return items;
}

export interface TaskPage {
  task: TaskItem | null;
  detail: CaseDetail;
  facts: Fact[];
  evidence: EvidenceItem[];
}

/** A task's page. `id` may be a case's code too (links from notices): then the caller's own open task of it is taken. */
export async function fetchTaskPage(id: string, code: string | null): Promise<TaskPage> {
  const items = await fetchTasks();
  const task = items.find((one) => String(one.id) === id || one.case === id) ?? null;
  const of = task?.case ?? code ?? id;
  const base = `/api/v1/cases/${encodeURIComponent(of)}`;
  const [detail, facts, evidence] = await Promise.all([
    get<CaseDetail>(base),
    get<Page<Fact>>(`${base}/trace`),
    get<Page<EvidenceItem>>(`${base}/evidence`),
  ]);
  return { task, detail, facts: facts.items, evidence: evidence.items };
}
