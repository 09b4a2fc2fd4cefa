/** What the operator decides before accepting, and the request it becomes. Pure. */
import type { Candidate, CaseDetail } from "@/api/cases";
import type { Named, Severity } from "@/api/shared";

export interface Decision {
  unit: Named | null;
  supporting: Named[];
  type: string;
  severity: Severity;
  note: string;
}

export interface Choice extends Omit<Candidate, "load"> {
  load: number | null;
}

const MOST = 6;

/** The proposed unit first, then the candidates by rank; never twice, at most six. */
export function choicesOf(detail: CaseDetail): Choice[] {
  const proposed = detail.proposal?.unit;
  const ranked: Choice[] = [...detail.candidates];
  const at = proposed ? ranked.findIndex((c) => c.unit.id === proposed.id) : -1;
  const first = at >= 0 ? ranked.splice(at, 1) : proposed ? [{ unit: proposed, reason: "", load: null, distance_m: null }] : [];
  return [...first, ...ranked].slice(0, MOST);
}

export function decisionOf(detail: CaseDetail): Decision {
  return {
    unit: choicesOf(detail)[0]?.unit ?? null,
    supporting: detail.supporting,
    type: detail.proposal?.type ?? detail.type,
    severity: detail.proposal?.severity ?? detail.severity,
    note: "",
  };
}

/** Only what differs from the proposal is sent: an untouched proposal is accepted as it stands. */
export function acceptBody(detail: CaseDetail, decision: Decision): Record<string, unknown> {
  const untouched = decisionOf(detail);
  const body: Record<string, unknown> = {};
  if (decision.type !== untouched.type) body["type"] = decision.type;
  if (decision.severity !== untouched.severity) body["severity"] = decision.severity;
  if (decision.unit && decision.unit.id !== detail.proposal?.unit?.id) body["unit"] = decision.unit.id;
  if (decision.supporting.length) body["supporting"] = decision.supporting.map((u) => u.id);
  if (decision.note.trim()) body["note"] = decision.note.trim();
  return body;
}
