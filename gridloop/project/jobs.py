"""Every background job: name, seconds between turns, where it lives. The rooms know nothing of each other's jobs."""

JOBS: tuple[tuple[str, float, str], ...] = (
    ("cases.fire_due", 1.0, "gridloop.cases.actions:fire_due"),
    ("cases.index_words", 1.0, "gridloop.cases.history:index_words"),
    ("cases.learn", 1.0, "gridloop.cases.learning:run_learn"),
    ("cases.outcomes", 1.0, "gridloop.cases.learning:run_outcomes"),
    ("cases.train", 600.0, "gridloop.cases.learning:train_when_due"),
    ("registry.index_buildings", 60.0, "gridloop.registry.actions:index_buildings"),
    ("journal.checkpoint", 60.0, "gridloop.journal.actions:checkpoint"),
    ("signals.effects", 0.3, "gridloop.signals.handlers:run_effects"),
    ("signals.heard", 2.0, "gridloop.signals.handlers:run_heard"),
    ("signals.detectors", 1.0, "gridloop.signals.handlers:run_detectors"),
    ("signals.silent", 10.0, "gridloop.signals.actions:mark_silent"),
    ("signals.outcomes", 2.0, "gridloop.signals.outcomes:run_outcomes"),
    ("signals.relook", 30.0, "gridloop.signals.outcomes:look_again"),
    ("signals.history", 60.0, "gridloop.signals.history:write_hours"),
    ("scenes.rehearse", 2.0, "gridloop.scenes.rehearsing:run_rehearsals"),
    ("signals.trim_log", 600.0, "gridloop.signals.actions:trim_log"),
    ("notices.facts", 0.5, "gridloop.notices.handlers:run"),
    ("retention", 3600.0, "gridloop.doors.retention:run"),
    ("notices.deliver", 0.5, "gridloop.notices.actions:deliver"),
    ("notices.command", 0.5, "gridloop.notices.actions:command"),
)
