"""Makes new records: written by a teacher, or chosen from a model's own drafts."""
