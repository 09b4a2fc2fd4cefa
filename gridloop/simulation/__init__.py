"""The simulated county: territory, people, devices, incidents with ground truth, staff behaviour."""
