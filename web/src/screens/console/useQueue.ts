/** The console's queue against the server: first page, changes by live messages, further pages. */
import { useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from "vue";
import { get, type Query } from "@/api/client";
import type { CaseCounts, CaseItem } from "@/api/cases";
import type { Page } from "@/api/shared";
import type { Box } from "@/lib/domain";
import { emptyQueue, extended, opened, patched, released, type Queue } from "@/lib/queue";
import { gathered, onLive } from "@/live";

const PAGE = 300;
const AT_ONCE = 50;
const RACE = 15_000;

export interface QueueFilter {
  box: Box;
  q: string;
  severity: number | null;
}

export function queryOf(filter: QueueFilter): Query {
  return { box: filter.box, q: filter.q || undefined, severity: filter.severity ?? undefined };
}

export function useQueue(filter: Ref<QueueFilter>, held: (items: number) => boolean) {
  const queries = useQueryClient();
  const queue = shallowRef<Queue>(emptyQueue());
  const next = ref<string | null>(null);
  const more = ref(false);
  const key = computed(() => ["queue", { ...filter.value }] as const);
  const first = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => get<Page<CaseItem>>("/api/v1/cases", { ...queryOf(filter.value), order: "urgent", limit: PAGE }, signal),
  });
  const q = computed(() => filter.value.q || undefined);
  const count = (box: Ref<Box | undefined>) =>
    useQuery({
      queryKey: ["counts", q, box],
      queryFn: ({ signal }) => get<CaseCounts>("/api/v1/cases/counts", { q: q.value, box: box.value }, signal),
      placeholderData: (before) => before,
    });
  const boxes = count(ref(undefined));
  const levels = count(computed(() => filter.value.box));

  const recent = new Map<string, number>();
  const changed = new Set<string>();
  let again: ReturnType<typeof setTimeout> | undefined;
  onScopeDispose(() => clearTimeout(again));

  async function refresh(): Promise<void> {
    const codes = [...changed].slice(0, AT_ONCE);
    codes.forEach((code) => changed.delete(code));
    if (!codes.length) return;
    const asked = filter.value;
    try {
      const page = await get<Page<CaseItem>>("/api/v1/cases", { ...queryOf(asked), codes: codes.join(","), limit: AT_ONCE });
      if (asked === filter.value) queue.value = patched(queue.value, codes, page.items, held(queue.value.items.length));
    } catch {
      codes.forEach((code) => changed.add(code));
      clearTimeout(again); // a full server says 429, and there may be no further message that would ask again
      again = setTimeout(() => void refresh(), 2_000);
      return;
    }
    if (changed.size) refreshSoon();
  }
  const refreshSoon = gathered(() => void refresh(), 100); // frames come at most four a second already
  const recount = gathered(() => void queries.invalidateQueries({ queryKey: ["counts"] }), 2_000);

  function touch(code: string): void {
    changed.add(code);
    refreshSoon();
    recount();
  }

  onLive((message) => {
    if (message.type !== "case") return;
    recent.set(message.data.code, Date.now());
    touch(message.data.code);
  });

  watch(
    first.data,
    (page) => {
      if (!page) return;
      queue.value = opened(page.items);
      next.value = page.next;
      // The page may have been read before a message that has already been handled: ask for those cases again.
      for (const [code, at] of recent) if (Date.now() - at < RACE) touch(code);
      recent.clear();
    },
    { immediate: true },
  );

  async function loadMore(): Promise<void> {
    if (!next.value || more.value) return;
    more.value = true;
    const asked = filter.value;
    try {
      const page = await get<Page<CaseItem>>("/api/v1/cases", { ...queryOf(asked), order: "urgent", limit: PAGE, after: next.value });
      if (asked !== filter.value) return;
      queue.value = extended(queue.value, page.items);
      next.value = page.next;
    } finally {
      more.value = false;
    }
  }

  const release = (): void => void (queue.value = released(queue.value));
  /** Takes a case out at once after one's own verb; the server's answer follows by `touch`. */
  const drop = (code: string): void => void (queue.value = patched(queue.value, [code], [], true));

  return { queue, first, boxes, levels, next, more, loadMore, release, touch, drop };
}
