"""New records, by a teacher or by choosing among a model's own drafts."""
