"""Executors run programs: torch (any device, any dtype: the meaning), native (CPU, fused)."""
