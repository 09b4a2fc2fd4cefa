/** The status bar of a case, read from its trace: which steps are done and when, which is the one now. */
import type { Fact } from "@/api/cases";
import { ENDED, STEPS, stepOf, type Step } from "./domain";

export interface BarStep {
  step: Step;
  state: "done" | "now" | "next";
  at: string | null;
}

const DONE_BY: Record<string, Step> = {
  reported: "report",
  dispatched: "dispatch",
  task_accepted: "accept",
  submitted: "handle",
  check_approved: "check",
  closed: "close",
  merged: "close",
  voided: "close",
  rejected: "close",
};

/** What takes a case back: the steps from here on happen again. */
const BACK_TO: Record<string, Step> = { reworked: "handle", returned: "dispatch", recalled: "dispatch", handed_up: "dispatch" };

export function bar(facts: Pick<Fact, "seq" | "at" | "action" | "data">[], status: string): BarStep[] {
  const times = new Map<Step, string>();
  for (const fact of [...facts].sort((a, b) => a.seq - b.seq)) {
    const back = BACK_TO[fact.action];
    if (back) STEPS.slice(STEPS.indexOf(back)).forEach((step) => times.delete(step));
    const step = DONE_BY[fact.action];
    // An accepted task counts only once the case has been dispatched; verifying and checking are accepted too.
    if (step && !(step === "accept" && (!times.has("dispatch") || times.has("accept")))) times.set(step, fact.at);
  }
  const ended = ENDED.includes(status);
  const here = STEPS.indexOf(stepOf(status));
  return STEPS.map((step, i) => {
    const at = times.get(step) ?? null;
    if (ended) return { step, at, state: at || step === "close" ? "done" : "next" };
    return { step, at, state: i < here ? "done" : i === here ? "now" : "next" };
  });
}
