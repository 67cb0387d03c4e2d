"""
What functions do when AWS IoT has registered a certificate by itself: admit who is announced, count who is stuck.
"""
