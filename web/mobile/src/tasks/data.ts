import { get } from "@/api/client";
import type { CaseDetail, CaseItem, EvidenceItem, Fact, Page, TaskItem } from "@/api/types";
import { ref } from "vue";
import type { Work } from "./rules";

/** Number on the tab; set by whoever read the list last. */
export const openTasks = ref(0);

const CHUNK = 50;

/** My open tasks with the cases they belong to: two kinds of call, however many tasks there are. */
export async function fetchWork(): Promise<Work[]> {
  const { items } = await get<Page<TaskItem>>("/api/v1/tasks", { mine: true, status: "open", limit: 200 });
  const codes = [...new Set(items.map((task) => task.case))];
  const chunks = Array.from({ length: Math.ceil(codes.length / CHUNK) }, (_, i) => codes.slice(i * CHUNK, (i + 1) * CHUNK));
  const pages = await Promise.all(chunks.map((part) => get<Page<CaseItem>>("/api/v1/cases", { codes: part.join(","), limit: CHUNK })));
  const cases = new Map(pages.flatMap((page) => page.items).map((item) => [item.code, item]));
  openTasks.value = items.length;
  return items.map((task) => ({ task, item: cases.get(task.case) ?? null }));
}

export interface TaskPage {
  task: TaskItem | null;
  detail: CaseDetail;
  facts: Fact[];
  evidence: EvidenceItem[];
}

/** A task's page. `id` may be a case's code too (links from notices): then the caller's own open task of it is taken. */
export async function fetchTaskPage(id: string, code: string | null): Promise<TaskPage> {
  const { items } = await get<Page<TaskItem>>("/api/v1/tasks", { mine: true, status: "open", limit: 200 });
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
