"""What the loader is made of: collating, fetching, worker processes."""
