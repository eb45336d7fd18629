"""The torch executor: any device, any dtype, every operation; it gives the operations their meaning."""
