/** Who is logged in: read once, shared by every screen, refreshed to keep the deployment clock true. */
import { computed, ref, shallowRef } from "vue";
import { cookie, get, post, Problem } from "@/api/client";
import type { Me } from "@/api/access";
import { clockRate, setClock } from "@/lib/clock";
import { forgetAllTyped } from "@/lib/kept";
import { TOUR_ROLE, type RoleWord } from "@/screens/tour/steps";

export const me = shallowRef<Me | null>(null);
export const meFault = shallowRef<Problem | null>(null);
export const leaving = ref(false);

export async function loadMe(): Promise<Me | null> {
  try {
    me.value = await get<Me>("/api/v1/me");
    meFault.value = null;
    setClock(me.value.clock);
  } catch (error) {
    if (error instanceof Problem) meFault.value = error;
    else throw error;
  }
  return me.value;
}

/** A fast clock drifts with every delay of ours, so it is read again more often. */
export function keepClock(): void {
  setTimeout(
    () => {
      if (document.visibilityState === "visible" && !leaving.value) void loadMe();
      keepClock();
    },
    clockRate() > 1 ? 15_000 : 60_000,
  );
}

/** Key of what this account typed about a thing and has not sent. */
export const typedBy = (thing: string): string => `${me.value?.user ?? ""}:${thing}`;
export const may = (permission: string): boolean => me.value?.permissions.includes(permission) ?? false;
/** Whoever reads neither cases nor tasks gets nothing from the live stream. */
export const hasLive = computed(() => may("case.read") || may("task.read"));
export const isSample = computed(() => me.value?.sample ?? false);

export function toLogin(): void {
  if (leaving.value) return;
  leaving.value = true;
  const next = location.pathname + location.search;
  location.assign(`/login/?next=${encodeURIComponent(next)}`);
}

/** Leaves by the headless session call, then shows the log-in page. Throws when the server did not hear of it: the session lives on. */
export async function logOut(): Promise<void> {
  leaving.value = true;
  // allauth answers a successful log-out with 401 (no session any more).
  const answer = await fetch("/_allauth/browser/v1/auth/session", { method: "DELETE", credentials: "same-origin", headers: csrf() }).catch(() => null);
  if (answer?.status !== 401 && !answer?.ok) {
    leaving.value = false;
    throw new Problem(answer?.status ?? 0);
  }
  forgetAllTyped();
  location.assign("/login/");
}

/** Sample deployments only: become another role and go on at `next`. A form post, so that the page's cookie and redirect rules hold. */
export function becomeSample(role: RoleWord, next: string): void {
  leaving.value = true;
  const form = document.createElement("form");
  form.method = "post";
  form.action = `/login/sample/?next=${encodeURIComponent(next)}`;
  for (const [name, value] of Object.entries({ user: TOUR_ROLE[role], next, csrfmiddlewaretoken: csrf()["X-CSRFToken"] ?? "" })) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

export const keepLang = (lang: string): Promise<unknown> => post("/api/v1/me", { lang: lang === "en" ? "en" : "zh" });

function csrf(): Record<string, string> {
  const token = cookie("csrftoken");
  return token ? { "X-CSRFToken": token } : {};
}
