"""Luma Notification: the route that Luma's callers use, and the channel that calls a Luma."""
