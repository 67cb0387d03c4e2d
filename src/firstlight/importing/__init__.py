"""
A manifest into a cloud: resumable, with a report of one row per device.
"""
