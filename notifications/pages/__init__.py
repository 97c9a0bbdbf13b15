"""What the pages of notifications show, worked out part by part when a template asks for it."""
