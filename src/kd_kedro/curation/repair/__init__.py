"""Making one text sound: Unicode, personal data."""
