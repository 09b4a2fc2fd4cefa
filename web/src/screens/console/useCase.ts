/** One open case: detail, trace, evidence, kept fresh by live messages. */
import { useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";
import { get } from "@/api/client";
import type { CaseDetail, EvidenceItem, Fact } from "@/api/cases";
import type { Page } from "@/api/shared";
import { gathered, onLive } from "@/live";

export function useCase(code: Ref<string | null>) {
  const queries = useQueryClient();
  const enabled = computed(() => !!code.value);
  const url = (tail = ""): string => `/api/v1/cases/${encodeURIComponent(code.value ?? "")}${tail}`;
  const detail = useQuery({
    queryKey: ["case", code],
    queryFn: ({ signal }) => get<CaseDetail>(url(), undefined, signal),
    enabled,
  });
  const trace = useQuery({
    queryKey: ["case", code, "trace"],
    queryFn: ({ signal }) => wholeTrace(url("/trace"), signal),
    enabled,
  });
  const evidence = useQuery({
    queryKey: ["case", code, "evidence"],
    queryFn: ({ signal }) => get<Page<EvidenceItem>>(url("/evidence"), undefined, signal),
    enabled,
  });
  const refresh = (): Promise<void> => queries.invalidateQueries({ queryKey: ["case", code.value] });
  const soon = gathered(() => void refresh(), 400);
  onLive((message) => {
    if (message.type === "case" && message.data.code === code.value) soon();
    if (message.type === "task" && message.data.case === code.value) soon();
  });
  return { detail, trace, evidence, refresh };
}

/** All pages of a trace: the chain can be checked only whole. */
async function wholeTrace(path: string, signal: AbortSignal): Promise<Fact[]> {
  const facts: Fact[] = [];
  let after: string | null = null;
  do {
    const page: Page<Fact> = await get<Page<Fact>>(path, { after, limit: 200 }, signal);
    facts.push(...page.items);
    after = page.next;
  } while (after);
  return facts;
}
