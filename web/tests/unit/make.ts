/** Shapes with sensible values for tests. */
import type { CaseDetail, CaseItem, EvidenceItem, Fact, TaskItem } from "@/api/cases";

export function aCase(change: Partial<CaseItem> = {}): CaseItem {
  return {
    code: "C1", type: "01037", type_name: "路灯异常", title: "路灯异常", severity: 3, status: "reported", region: "990101100001001001",
    region_name: "云澜街道", place: { lon: 121.1, lat: 28.4, address: "人民路1号" }, reported_at: "2026-11-22T08:00:00+08:00",
    due_at: "2026-11-22T18:00:00+08:00", lead_unit: null, scene: "general", sources: [], card: null, stage: "intake", stage_due_at: null,
    merged: 0, reworks: 0, ...change,
  }; // prettier-ignore
}

export function aDetail(change: Partial<CaseDetail> = {}): CaseDetail {
  return {
    ...aCase(), text: "", reporter: null, proposal: null, candidates: [], supporting: [], verbs: ["accept"], tasks: [], source_rows: [], rating: null, supervision: [], doubts: [], assistant: false,
    ...change,
  }; // prettier-ignore
}

export function aTask(change: Partial<TaskItem> = {}): TaskItem {
  return {
    id: "t1", case: "C1", case_title: "路灯异常", severity: 3, name: "handle", title: "处置", stage: "handle", status: "open", assignee: null,
    unit: null, due_at: "2026-11-22T18:00:00+08:00", verbs: ["accept"], form: null, must: [],
    place: { lon: null, lat: null, address: "" }, region_name: "", doubts: [], ...change,
  }; // prettier-ignore
}

export function aFact(seq: number, action: string, change: Partial<Fact> = {}): Fact {
  return {
    chain: "case:C1", seq, at: `2026-11-22T08:0${seq % 10}:00Z`, actor: "user:1", actor_name: "周雯", action, action_name: action, data: {},
    previous_hash: "", hash: "", ...change,
  }; // prettier-ignore
}

export const aPhoto = (id: string, kind: string): EvidenceItem => ({
  id, url: `/api/v1/evidence/${id}`, thumb: "", sha256: "", media_type: "image/jpeg", kind, at: "2026-11-22T08:00:00Z", by: "", gap_m: null, task: null,
  status: "clean",
}); // prettier-ignore
