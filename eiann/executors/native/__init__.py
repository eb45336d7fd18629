"""The native executor: a training run's samples inside one call of a small C++ interpreter, on the CPU."""
