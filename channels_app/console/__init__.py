"""The agents' console: what it shows, and how little it asks for while nothing changes."""
