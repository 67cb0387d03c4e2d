"""
Whether a host is this machine, so that what is sent to it crosses no network.
"""

import ipaddress


def is_loopback(host: str) -> bool:
    """
    Return whether *host*, a name or an address, is `localhost`, in 127.0.0.0/8 or ::1.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
