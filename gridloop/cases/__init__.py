"""The case: report, accept, route, assign, return, submit, check, close, rate, merge."""
