"""
What becomes of devices and CAs after they were provisioned.
"""
