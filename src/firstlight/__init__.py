"""
Land factory-made device identity in an operator's own clouds.
"""
