"""What each script does for each system: one module for a script and a system."""
