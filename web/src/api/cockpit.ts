import { get } from "./client";
import type { Severity } from "./shared";

/**
 * `GET /api/v1/cockpit?region=` – the numbers of the caller's scope at the deployment clock.
 * docs/reference/cockpit.md says what each one counts. "Today" begins at 00:00 in the deployment's time zone.
 */
export interface Cockpit {
  /** Deployment time the numbers were taken at. */
  at: string;
  region: { code: string; name: string };
  today: {
    reported: number;
    closed: number;
    /** Closed today by `due_at` ÷ closed today; null when none was closed. */
    on_time_share: number | null;
    /** Mean seconds from `reported_at` to close, of the cases closed today; null when none. */
    average_close_seconds: number | null;
  };
  now: {
    in_hand: number;
    overdue: number;
    waiting: number;
    severity: Record<"1" | "2" | "3" | "4", number>;
  };
  /** Ratings given in the last 30 days. `average` 1–5, null when none. */
  satisfaction: { average: number | null; count: number; good_share: number | null; centre_average: number | null };
  /** Cases in hand, most first, at most 8. */
  by_type: { type: string; name: string; in_hand: number; today: number }[];
  /** Children of the region, most in hand first, at most 12. */
  by_region: { code: string; name: string; in_hand: number; overdue: number; closed_today: number }[];
  /** The 24 hours up to the current one, oldest first; `hour` is the start of the hour. */
  hours: { hour: string; reported: number; closed: number }[];
  /** In hand by grid (15 digits), for the heat on the map; grids without a case are left out, at most 2000. */
  grids: { code: string; count: number; worst: Severity }[];
  /** Worst overdue first (longest past the limit within the worst severity), at most 8. */
  overdue: { code: string; title: string; severity: Severity; due_at: string; unit: string | null }[];
  /** Newest reported, newest first, at most 7. */
  latest: { code: string; title: string; severity: Severity; status: string; status_name: string; at: string; source: string | null }[];
  /** People and devices now. */
  force: { on_duty: number; staff: number; devices_online: number; devices: number };
}

export const cockpit = (region?: string): Promise<Cockpit> => get<Cockpit>("/api/v1/cockpit", { region });
