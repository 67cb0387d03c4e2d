"""
The queues that carry on what a push could not finish: one file per cloud.
"""
