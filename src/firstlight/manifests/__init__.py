"""
Files of certificates: one file per format.
"""
