import { call } from "@/api/client";
import { forgetAllTyped } from "@/lib/kept";
import { forgetWho, me } from "../lib/session";
import { forget } from "../queue/store";

/** Ends the session on the server, then drops what this person has read on the phone. */
export async function logOut(): Promise<void> {
  const user = me.value?.user;
  // allauth answers a successful log-out with 401 "not logged in"; only the session matters.
  await call("DELETE", "/_allauth/browser/v1/auth/session").catch(() => undefined);
  forgetAllTyped();
  if (user) await forget(user);
  await forgetWho();
  location.assign("/login/?next=/m/");
}
