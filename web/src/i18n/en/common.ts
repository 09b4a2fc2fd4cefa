export default {
  product: "Gridloop",
  sample: "Sample data",
  severity: { 1: "Critical", 2: "Urgent", 3: "Important", 4: "Routine" },
  severityShort: { 1: "Red", 2: "Orange", 3: "Yellow", 4: "Blue" },
  status: {
    reported: "Reported", verifying: "Verifying", filed: "Filed", dispatched: "Dispatched", accepted: "Signed for", handling: "In progress",
    suspended: "Suspended", escalated: "Escalated", submitted: "Awaiting check", checking: "Checking", reworked: "Rework", closed: "Closed",
    voided: "Voided", rejected: "Not accepted",
  },
  step: { report: "Intake", dispatch: "Dispatch", accept: "Sign for", handle: "Handle", check: "Check", close: "Closed" },
  stage: { verify: "Verify", intake: "Intake", accept: "Sign for", handle: "Handle", check: "Check" },
  box: { todo: "To dispatch", doing: "In hand", done: "Closed", all: "All" },
  card: { yellow: "Yellow card", red: "Red card" },
  source: {
    report: "Citizen", citizen: "Citizen", app: "Citizen", public: "Citizen", worker: "Grid worker", hotline: "12345 hotline", camera: "Camera",
    sensor: "Sensor", iot: "Sensor", alarm: "Sensor alarm", detector: "Sensor alarm", import: "Import", open311: "Open311", device: "Device",
    signal: "Signal", system: "System", person: "Reported by hand", vehicle_stopped: "Parking camera", cap: "Warning", replay: "Import",
  },
  role: {
    citizen: "Citizen", worker: "Grid worker", grid_worker: "Grid worker", handler: "Department handler", officer: "Enforcement officer",
    operator: "Operator", commander: "Duty commander", duty_commander: "Duty commander", supervisor: "Supervisor", leader: "Leader",
    deputy: "Deputy", mediator: "Mediator", inspector: "Inspector", designer: "Process designer", admin: "Administrator",
    integrator: "Integrator", device: "Device",
  },
  taskStatus: { open: "To sign for", accepted: "In progress", done: "Done", cancelled: "Cancelled" },
  verb: {
    accept: "Sign for", return: "Return", transfer: "Transfer", delegate: "Delegate", submit: "Submit", approve: "Approve", reject: "Reject",
    suspend: "Suspend", resume: "Resume", extend: "Extend", escalate: "Escalate", check_in: "Check in",
  },
  fault: {
    offline: "The server cannot be reached. Check the network and try again.",
    unknown: "Something went wrong ({status}). Please try again later.",
    forbidden: "You may not do this.",
    gone: "Not found. It may have been merged or lie outside your area.",
    conflict: "This has changed meanwhile; the page has been refreshed.",
    busy: "The server is busy. Please try again shortly.",
  },
  act: {
    retry: "Try again", cancel: "Cancel", close: "Close", save: "Save", back: "Back", more: "Load more", open: "Open", search: "Search",
    confirm: "OK",
  },
};
