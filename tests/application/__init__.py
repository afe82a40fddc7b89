"""The application on memory, through both executors."""
