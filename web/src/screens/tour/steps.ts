/** The five-step tour: from alarm to five stars. The state lives in this tab only, because each step may be another log-in. */
export type RoleWord = "operator" | "handler" | "checker" | "citizen";

/** Sample log-in of each part in the tour. The check is done by the operators' desk, never by the person who handled it. */
export const TOUR_ROLE: Record<RoleWord, string> = { operator: "operator", handler: "handler", checker: "commander", citizen: "citizen" };

export interface TourStep {
  key: "alarm" | "accept" | "handle" | "check" | "review" | "rate";
  role: RoleWord;
  /** Where the step happens, with the case of the tour. */
  path: (tour: Tour) => string;
}

export interface Tour {
  step: number;
  code: string | null;
  track: string | null;
}

export const STEPS: readonly TourStep[] = [
  { key: "alarm", role: "operator", path: () => "/console" },
  { key: "accept", role: "operator", path: (t) => (t.code ? `/console/${t.code}` : "/console") },
  { key: "handle", role: "handler", path: (t) => `/tasks${t.code ? `?case=${t.code}` : ""}` },
  { key: "check", role: "checker", path: (t) => `/tasks${t.code ? `?case=${t.code}` : ""}` },
  { key: "rate", role: "citizen", path: (t) => t.track ?? (t.code ? `/cases/${t.code}` : "/cases") },
];

/** In place of the check, when something speaks against closing, say a photo that was used before. */
export const REVIEW: TourStep = { key: "review", role: "operator", path: (t) => `/tasks${t.code ? `?case=${t.code}` : ""}` };

const KEPT = "gridloop.tour";

export function readTour(store: Storage = sessionStorage): Tour | null {
  try {
    const kept = JSON.parse(store.getItem(KEPT) ?? "null") as Tour | null;
    return kept && Number.isInteger(kept.step) && STEPS[kept.step] ? kept : null;
  } catch {
    return null;
  }
}

export function keepTour(tour: Tour | null, store: Storage = sessionStorage): void {
  if (tour) store.setItem(KEPT, JSON.stringify(tour));
  else store.removeItem(KEPT);
}

/** The step a case of this status waits for. */
export function stepFor(status: string): number {
  if (["reported", "verifying", "filed"].includes(status)) return 1;
  if (["dispatched", "accepted", "handling", "reworked", "suspended", "escalated"].includes(status)) return 2;
  if (["submitted", "checking"].includes(status)) return 3;
  return 4;
}
