"""Who is competent, near and free for a task."""
