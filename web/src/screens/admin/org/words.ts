/** Words of the organisation that the screens offer; the server takes others, too. */
export const KINDS = ["center", "room", "department", "town", "panel", "team", "station", "police_post", "utility", "village", "grid_team"];
export const PRESENCES = ["resident", "rotating", "on_call"];
export const DUTIES = ["intake", "verify", "handle", "check", "support", "urge", "supervise"];
export const TEAM_ROLES = ["grid_leader", "full_time_grid_worker", "part_time_grid_worker", "grid_advisor", "member"];
export const SHIFT_ROLES = ["duty_commander", "operator", "member"];
