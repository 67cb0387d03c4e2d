"""
What policies allow: those of devices (AWS IoT) and those of roles (IAM), decided as AWS decides.
"""
