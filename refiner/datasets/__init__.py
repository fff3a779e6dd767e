"""The one dataset format, the readers and writers of public layouts, and the batches made from it."""
