"""
The laptop's Azure: IoT Hubs, device provisioning services, and what manages them.
"""
