"""
A device that connects: comes online, talks to itself, and fails at what must fail.
"""
