"""The worker: cameras, threads, disk and sending."""
