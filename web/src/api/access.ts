/** Who is here, accounts, and the logs of security. Shapes of the public API as the screens use them. */
import type { Named, RegionRef } from "./shared";

export interface Me {
  user: string;
  name: string;
  roles: string[];
  unit: Named | null;
  region: RegionRef | null;
  permissions: string[];
  lang: string;
  sample: boolean;
  /** A second factor must be enrolled at /accounts/ before anything else is allowed. */
  second_factor?: boolean;
  own_password?: boolean;
  clock: { now: string; rate: number };
  duty?: string | null;
}

/** `GET /audit`. */
export interface AuditRow {
  id: number;
  at: string;
  action: string;
  text: string;
  account: number;
  account_name: string;
  actor: string;
  actor_name: string;
  how: string;
  address: string;
  agent: string;
  data: Record<string, unknown>;
  chain: string;
  seq: number;
  hash: string;
}

/** `GET /looks`. */
export interface LookRow {
  id: number;
  at: string;
  user: number | null;
  user_name: string;
  subject: string;
  purpose: string;
  reason: string;
  count: number;
}

/** `GET /users`. */
export interface Account {
  id: number;
  username: string;
  name: string;
  machine: boolean;
  active: boolean;
  second_factor: boolean;
  grants: { id: number; role: string; region: string; unit: number | null; valid_from: string | null; valid_to: string | null }[];
}

/** `GET /roles`. */
export interface RoleWords {
  key: string;
  name_zh: string;
  name_en: string;
}
