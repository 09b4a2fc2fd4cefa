import { call, Problem } from "@/api/client";
import { forgetAllTyped } from "@/lib/kept";
import { forgetWho, me } from "../lib/session";
import { forget } from "../queue/store";

/** Ends the session on the server, then drops what this person has read on the phone. False: the server was not reached, the session lives on. */
export async function logOut(): Promise<boolean> {
  const user = me.value?.user;
  // allauth answers a successful log-out with 401 "not logged in"; only the session matters.
  const fault: unknown = await call("DELETE", "/_allauth/browser/v1/auth/session").catch((error: unknown) => error);
  if (fault instanceof Problem && fault.status !== 401) return false;
  forgetAllTyped();
  if (user) await forget(user);
  await forgetWho();
  location.assign("/login/?next=/m/");
  return true;
}
