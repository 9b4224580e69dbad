"""SQL on what is kept of audiences, on its log and its queue, and on the triggers that fill the queue."""
