/** A list of the registry, read page by page. */
import { useInfiniteQuery } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";
import { get, type Query } from "@/api/client";
import type { Page } from "@/api/shared";

export function useList<T>(path: string, query: Ref<Query>, limit = 50, enabled: Ref<boolean> = computed(() => true)) {
  const list = useInfiniteQuery({
    queryKey: [path, query, limit],
    queryFn: ({ pageParam, signal }) => get<Page<T>>(path, { ...query.value, limit, after: pageParam }, signal),
    initialPageParam: "",
    getNextPageParam: (page: Page<T>) => page.next,
    enabled,
  });
  const items = computed(() => list.data.value?.pages.flatMap((page) => page.items) ?? []);
  return { list, items };
}
