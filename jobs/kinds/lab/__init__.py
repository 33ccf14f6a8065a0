"""The lab: three experiments that show what Offload is for, run by its own workers."""
