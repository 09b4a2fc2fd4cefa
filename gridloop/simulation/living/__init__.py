"""The county comes alive: incidents with a truth only the simulator knows, devices that tell, people who report and staff who act.

It speaks to a running deployment through the public HTTP only, as the devices and people it plays.
"""
