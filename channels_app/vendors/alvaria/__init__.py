"""Alvaria Cloud Server Messaging REST API v2.0.0, both faces. docs/alvaria.md has the decisions."""
