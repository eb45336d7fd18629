"""The CUDA executor: the steps of all replicas, recorded once as a graph that the device repeats by itself."""
