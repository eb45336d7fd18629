"""A network compiled to a flat, ordered list of operations: one description, several executors."""
