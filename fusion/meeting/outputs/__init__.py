"""A published meeting as files: JSON, CSV, captions, pictures, an annotated copy of the minutes, and the report."""
