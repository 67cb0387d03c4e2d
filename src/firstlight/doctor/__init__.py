"""
Why a device does not connect: what stands between it and its cloud, in order.
"""
