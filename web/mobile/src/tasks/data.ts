import { get } from "@/api/client";
import type { CaseDetail, EvidenceItem, Fact, TaskItem } from "@/api/cases";
import type { Page } from "@/api/shared";
import type { CaseOutcome } from "@/api/signals";
import { ref } from "vue";
import { dialable } from "./rules";

/** Number on the tab; set by whoever read the list last. */
export const openTasks = ref(0);

const MOST = 200;

async function* pages(): AsyncGenerator<Page<TaskItem>> {
  let after: string | null = null;
  do {
    const page: Page<TaskItem> = await get("/api/v1/tasks", { mine: true, status: "live", limit: MOST, after: after ?? undefined });
    yield page;
    after = page.next;
  } while (after);
}

export interface TaskList {
  items: TaskItem[];
  /** The server has further ones. */
  more: boolean;
}

/** My tasks that are not done yet, as many pages as are wanted. */
export async function fetchTasks(wanted: number): Promise<TaskList> {
  const items: TaskItem[] = [];
  let more = false;
  let count = 0;
  for await (const page of pages()) {
    items.push(...page.items);
    more = page.next !== null;
    if (++count >= wanted) break;
  }
  openTasks.value = items.length;
  return { items, more };
}

async function findTask(id: string): Promise<TaskItem | null> {
  for await (const page of pages()) {
    const found = page.items.find((one) => String(one.id) === id || one.case === id);
    if (found) return found;
  }
  return null;
}

/** Whether sensors' alarms made the case; without a network nobody knows. */
export const hasAlarms = (code: string): Promise<boolean> =>
  get<CaseOutcome>(`/api/v1/cases/${encodeURIComponent(code)}/outcome`).then(
    (told) => told.alarms.length > 0,
    () => false,
  );

export interface TaskPage {
  task: TaskItem | null;
  detail: CaseDetail;
  facts: Fact[];
  evidence: EvidenceItem[];
}

/** A task's page. `id` may be a case's code too (links from notices): then the caller's own open task of it is taken. */
export async function fetchTaskPage(id: string, code: string | null): Promise<TaskPage> {
  const task = await findTask(id);
  const of = task?.case ?? code ?? id;
  const base = `/api/v1/cases/${encodeURIComponent(of)}`;
  const [detail, facts, evidence] = await Promise.all([
    get<CaseDetail>(base),
    get<Page<Fact>>(`${base}/trace`),
    get<Page<EvidenceItem>>(`${base}/evidence`),
  ]);
  return { task, detail, facts: facts.items, evidence: evidence.items };
}

/** The reporters' numbers that can be dialled, opened for handling the case; each look is written down. */
export async function fetchNumbers(code: string, reason: string): Promise<string[]> {
  const told = await get<{ items: { contact: string }[] }>(`/api/v1/cases/${encodeURIComponent(code)}/reporter`, { purpose: "handle_case", reason });
  return [...new Set(told.items.map((one) => dialable(one.contact)).filter((one) => one !== null))];
}
