"""Networks: resolved architecture, parameters with a leading replica axis, construction from seeds."""
